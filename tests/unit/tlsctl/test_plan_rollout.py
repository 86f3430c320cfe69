"""`tlsctl plan-rollout`: what it counts as new, what it prints, and its exit codes."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config import printed
from config.registered import registered_domain
from tests.unit.tlsctl.verify.support import config as stack_config
from tlsctl.__main__ import main
from tlsctl.plan_rollout import Rollout, plan, signed_before

COMMAND = ["plan-rollout", "--stack", "org/istio-gateway-tls/dev"]
PULUMI = """
folder = Path({folder!r})
print((folder / ("state" if sys.argv[1] == "stack" else "config")).read_text())
"""
ISSUER = "letsencrypt-prod-istio"
ACME = {"email": "platform@sandbox.test", "issuer": "prod"}


def hosts(count: int) -> list[dict[str, Any]]:
    return [
        {"host": f"h{number}.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
        for number in range(count)
    ]


def config(count: int, grouping: str = "perHost", **changes: Any) -> dict[str, Any]:
    return stack_config(hosts=hosts(count), acme=ACME, certificate={"grouping": grouping}, **changes)


NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def state(*certificates: Sequence[str], issuer: str = ISSUER, ago: float | None = None) -> dict[str, Any]:
    """What `pulumi stack export` prints of Certificates, made so many hours ago."""
    made = {} if ago is None else {"created": (NOW - timedelta(hours=ago)).isoformat().replace("+00:00", "Z")}
    resources = [
        {
            **made,
            "type": "kubernetes:cert-manager.io/v1:Certificate",
            "inputs": {"spec": {"dnsNames": list(names), "issuerRef": {"name": issuer}}},
        }
        for names in certificates
    ]
    return {"deployment": {"resources": [{"type": "pulumi:pulumi:Stack", "urn": "u"}, *resources]}}


def planned(count: int, grouping: str = "perHost", there: Any = None, clusters: int = 1, **changes: Any) -> Rollout:
    settings = printed.read(config(count, grouping, **changes), "dev")
    found = plan(settings, there or state(), clusters=clusters, now=NOW.timestamp())
    assert found is not None
    return found


def test_what_the_state_has_signed_is_not_signed_again() -> None:
    there = state(["h0.sandbox.test"], ["h1.sandbox.test"])
    assert planned(3, there=there).certificates == [("h2.sandbox.test",)]
    assert planned(3, there=there).standing == 2


def test_another_issuer_or_other_names_are_signed_anew() -> None:
    assert signed_before(state(["a.test"], issuer="letsencrypt-staging-istio"), ISSUER, 0) == {}
    assert len(planned(3, "shared", state(["h0.sandbox.test", "h1.sandbox.test"])).certificates) == 1, "a host joined"


def test_a_secret_spec_and_an_empty_state_are_no_certificates() -> None:
    assert signed_before({"deployment": {}}, ISSUER, 0) == {}
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": "{}"}
    odd = {
        "deployment": {"resources": [{"type": "kubernetes:cert-manager.io/v1:Certificate", "inputs": {"spec": secret}}]}
    }
    assert signed_before(odd, ISSUER, 0) == {}


def test_fifty_fit_and_fifty_one_do_not() -> None:
    assert planned(50).at_once
    assert not planned(51).at_once
    assert planned(1000, "shared").at_once, "they are ten certificates"
    assert planned(120).alternative == 2


def test_the_next_batch_is_the_one_of_the_next_day() -> None:
    first = [[f"h{number}.sandbox.test"] for number in range(50)]
    assert not planned(57, there=state(*first, ago=2)).at_once, "two hours after the first batch"
    assert planned(57, there=state(*first, ago=24)).at_once
    assert [len(each.places) for each in planned(60, there=state(*first, ago=24)).batches] == [7, 3]
    assert planned(90, there=state(*first, ago=24 * 30)).at_once
    imported = state(*first, ago=2)
    for each in imported["deployment"]["resources"][1:]:
        each["outputs"] = {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}}
    assert planned(90, there=imported).at_once, "an object that was imported is as old as the cluster says"
    assert planned(90, there=state(*first)).at_once, "a state of an old engine has no times"


def test_what_was_cut_off_is_yet_to_be_signed() -> None:
    there = state(*([f"h{number}.sandbox.test"] for number in range(51)), ago=1)
    there["deployment"]["resources"][-1]["initErrors"] = ["Resource has condition Ready=False"]
    found = planned(51, there=there)
    assert (found.certificates, found.standing) == ([("h50.sandbox.test",)], 50)
    assert not found.at_once


def test_what_is_left_after_the_last_batch_is_told() -> None:
    done = planned(30)
    assert (done.new, done.again) == ({"sandbox.test": 20}, 4), "of 50 certificates, and of 5 for the same names"
    assert done.another == {"sandbox.test": 0}
    full = planned(50)
    assert full.new == {"sandbox.test": 0}
    assert full.another["sandbox.test"] == pytest.approx(201.6 * 60)
    old = planned(1, there=state(["h0.sandbox.test"], ago=24 * 30))
    assert (old.batches, old.again) == ([], 5)


def test_clusters_meet_the_limit_of_the_same_names() -> None:
    assert planned(1, "shared", clusters=5).at_once
    six = planned(1, "shared", clusters=6)
    assert [(each.day, len(each.places)) for each in six.batches] == [(0, 5), (2, 1)]
    there = planned(2, clusters=3, there=state(["h0.sandbox.test"], ago=1))
    assert (len(there.certificates), there.standing) == (5, 1), "the other two have nothing yet"


def test_another_ca_has_the_limits_that_are_set() -> None:
    acme = {**ACME, "servers": {"prod": "https://ca.test/directory"}}
    assert plan(printed.read(stack_config(acme=acme), "dev"), state()) is None
    acme["limits"] = {"certificates": "2/2d"}
    found = plan(printed.read(stack_config(acme=acme, hosts=hosts(5), certificate={"grouping": "perHost"}), "dev"), {})
    assert found is not None
    assert [(each.day, len(each.places)) for each in found.batches] == [(0, 2), (1, 1), (2, 1), (3, 1)]
    raised = stack_config(
        acme={**ACME, "limits": {"certificates": "500/7d"}}, hosts=hosts(301), certificate={"grouping": "perHost"}
    )
    found = plan(printed.read(raised, "dev"), {})
    assert found is not None
    assert [len(each.places) for each in found.batches] == [300, 1], "the other limits are as Let's Encrypt has them"


@pytest.mark.parametrize(
    ("host", "bought"),
    [("shop.acme.co.uk", "acme.co.uk"), ("*.acme.dev", "acme.dev"), ("me.github.io", "me.github.io"), ("dev", "dev")],
)
def test_the_part_that_somebody_bought_is_found(host: str, bought: str) -> None:
    assert registered_domain(host) == bought


@pytest.mark.parametrize(("count", "code", "words"), [(50, 0, "One update gets them all."), (60, 1, "on day 2.")])
def test_the_exit_code_says_whether_one_update_gets_it_all(
    pulumi: Callable[[str], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    count: int,
    code: int,
    words: str,
) -> None:
    (tmp_path / "state").write_text(json.dumps(state()))
    (tmp_path / "config").write_text(json.dumps(config(count)))
    pulumi(PULUMI.format(folder=str(tmp_path)))
    assert main(COMMAND) == code
    said = capsys.readouterr().out
    assert words in said
    assert ("certificate.grouping shared" in said) == bool(code), "and how it would fit"

    assert "Each certificate can be signed again 4 times" in said
    left = {
        50: "the next new certificate can be signed in 3.4 hours",
        60: "there is room for 4 new certificates at once",
    }
    assert f"After that, {left[count]} for sandbox.test." in " ".join(said.split())

    assert main([*COMMAND, "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert [len(day["certificates"]) for day in document["days"]] == ([50] if code == 0 else [50, 7, 3])
    assert document["left"]["again"] == 4


@pytest.mark.parametrize("value", ["0", "-1", "two", "1001", "1.5"])
def test_a_number_of_clusters_that_is_none_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*COMMAND, f"--clusters={value}"])
    assert ended.value.code == 2
    assert f"{value!r} is not a number of clusters, 1 to 1000" in capsys.readouterr().err


def test_a_ca_whose_limits_are_not_known_is_told_how_to_set_them(
    pulumi: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text(json.dumps(state()))
    servers = {"prod": "https://ca.test/directory"}
    (tmp_path / "config").write_text(json.dumps(stack_config(acme={**ACME, "servers": servers})))
    pulumi(PULUMI.format(folder=str(tmp_path)))
    assert main(COMMAND) == 0
    assert "pulumi config set --stack" in capsys.readouterr().out.replace("\n", " ")


def test_a_config_that_is_refused_is_told(
    pulumi: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text(json.dumps(state()))
    (tmp_path / "config").write_text(json.dumps(config(1, "each")))
    pulumi(PULUMI.format(folder=str(tmp_path)))
    assert main(COMMAND) == 2
    assert "certificate.grouping" in capsys.readouterr().err
