"""`tlsctl plan-rollout`: what it counts as new, what it prints, and its exit codes."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from settings import printed
from tests.unit.verify.support import config as stack_config
from tlsctl.__main__ import main
from tlsctl.plan_rollout import Rollout, plan, registered_domain, signed_before

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


def state(*certificates: Sequence[str], issuer: str = ISSUER) -> dict[str, Any]:
    resources = [
        {
            "type": "kubernetes:cert-manager.io/v1:Certificate",
            "inputs": {"spec": {"dnsNames": list(names), "issuerRef": {"name": issuer}}},
        }
        for names in certificates
    ]
    return {"deployment": {"resources": [{"type": "pulumi:pulumi:Stack", "urn": "u"}, *resources]}}


def planned(count: int, grouping: str = "perHost", there: Any = None, **changes: Any) -> Rollout:
    found = plan(printed.read(config(count, grouping, **changes), "dev"), there or state())
    assert found is not None
    return found


def test_what_the_state_has_signed_is_not_signed_again() -> None:
    there = state(["h0.sandbox.test"], ["h1.sandbox.test"])
    assert planned(3, there=there).certificates == [("h2.sandbox.test",)]
    assert planned(3, there=there).standing == 2


def test_another_issuer_or_other_names_are_signed_anew() -> None:
    assert signed_before(state(["a.test"], issuer="letsencrypt-staging-istio"), ISSUER) == set()
    assert len(planned(3, "shared", state(["h0.sandbox.test", "h1.sandbox.test"])).certificates) == 1, "a host joined"


def test_a_secret_spec_and_an_empty_state_are_no_certificates() -> None:
    assert signed_before({"deployment": {}}, ISSUER) == set()
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": "{}"}
    odd = {
        "deployment": {"resources": [{"type": "kubernetes:cert-manager.io/v1:Certificate", "inputs": {"spec": secret}}]}
    }
    assert signed_before(odd, ISSUER) == set()


def test_fifty_fit_and_fifty_one_do_not() -> None:
    assert planned(50).at_once
    assert not planned(51).at_once
    assert planned(1000, "shared").at_once, "they are ten certificates"
    assert planned(120).alternative == 2


def test_another_ca_has_limits_of_its_own() -> None:
    acme = {**ACME, "servers": {"prod": "https://ca.test/directory"}}
    assert plan(printed.read(stack_config(acme=acme), "dev"), state()) is None


@pytest.mark.parametrize(
    ("host", "bought"),
    [("shop.acme.co.uk", "acme.co.uk"), ("*.acme.dev", "acme.dev"), ("me.github.io", "me.github.io"), ("dev", "dev")],
)
def test_the_part_that_somebody_bought_is_found(host: str, bought: str) -> None:
    assert registered_domain(host) == bought


@pytest.mark.parametrize(("count", "code", "words"), [(50, 0, "One update gets them all."), (60, 1, "on day 1.")])
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

    assert main([*COMMAND, "--json"]) == code
    days = json.loads(capsys.readouterr().out)["days"]
    assert sum(len(day["certificates"]) for day in days) == count


def test_a_config_that_is_refused_is_told(
    pulumi: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text(json.dumps(state()))
    (tmp_path / "config").write_text(json.dumps(config(1, "each")))
    pulumi(PULUMI.format(folder=str(tmp_path)))
    assert main(COMMAND) == 2
    assert "certificate.grouping" in capsys.readouterr().err
