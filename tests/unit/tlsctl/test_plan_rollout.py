"""`tlsctl plan-rollout`: the Certificates that it reads from a state, what it prints, and its exit codes.

What fits into the limits is in tests/unit/config/test_rollout.py.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.rollout import IssuedCertificate
from tests.unit.tlsctl.verify.support import config as stack_config
from tlsctl.__main__ import main
from tlsctl.plan_rollout import in_state

COMMAND = ["plan-rollout", "--stack", "org/istio-gateway-tls/dev"]
PULUMI = """
folder = Path({folder!r})
print((folder / ("state" if sys.argv[1] == "stack" else "config")).read_text())
"""
ISSUER = "letsencrypt-prod-istio"
ACME = {"email": "platform@sandbox.test", "issuer": "prod"}
NAMES = frozenset(["a.test"])


def config(count: int, grouping: str = "perHost", **acme: Any) -> dict[str, Any]:
    hosts = [{"host": f"h{at}.sandbox.test", "service": "shop", "namespace": "shop", "port": 80} for at in range(count)]
    return stack_config(hosts=hosts, acme={**ACME, **acme}, certificate={"grouping": grouping})


def state(**changes: Any) -> dict[str, Any]:
    """What `pulumi stack export` prints of a stack with one Certificate."""
    spec = {"dnsNames": ["a.test"], "issuerRef": {"name": ISSUER}}
    certificate = {"type": "kubernetes:cert-manager.io/v1:Certificate", "inputs": {"spec": spec}, **changes}
    return {"deployment": {"resources": [{"type": "pulumi:pulumi:Stack", "urn": "u"}, certificate]}}


@pytest.mark.parametrize(
    ("changes", "created", "signed"),
    [
        pytest.param({"created": "1970-01-01T00:01:00Z"}, 60, True, id="as old as its resource"),
        pytest.param({"created": "2026-11-01T12:00:00Z",
                      "outputs": {"metadata": {"creationTimestamp": "1970-01-01T00:01:00Z"}}}, 60, True,
                     id="imported: as old as the cluster has it"),
        pytest.param({}, None, True, id="the state of an old engine has no times"),
        pytest.param({"initErrors": ["Resource has condition Ready=False"]}, None, False, id="cut off"),
    ],
)  # fmt: skip
def test_certificates_are_read_from_the_state(changes: dict[str, Any], created: float | None, signed: bool) -> None:
    assert list(in_state(state(**changes))) == [IssuedCertificate(NAMES, ISSUER, created, signed)]


def test_a_secret_spec_and_an_empty_state_are_no_certificates() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": "{}"}
    assert list(in_state({"deployment": {}})) == []
    assert list(in_state(state(inputs={"spec": secret}))) == []


@pytest.fixture
def run(pulumi: Callable[[str], None], tmp_path: Path) -> Callable[..., int]:
    """Run the command on a stack of such a config, with an empty state; returns its exit code."""

    def command(printed: dict[str, Any], *options: str) -> int:
        (tmp_path / "state").write_text(json.dumps({"deployment": {}}))
        (tmp_path / "config").write_text(json.dumps(printed))
        pulumi(PULUMI.format(folder=str(tmp_path)))
        return main([*COMMAND, *options])

    return command


@pytest.mark.parametrize(
    ("count", "code", "words", "left"),
    [
        (50, 0, "One update gets them all.", "the next new certificate can be signed in 3.4 hours"),
        (60, 1, "on day 2.", "there is room for 4 new certificates at once"),
    ],
)
def test_people_read_when_the_certificates_are_signed_and_what_is_left(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], count: int, code: int, words: str, left: str
) -> None:
    assert run(config(count)) == code
    printed = capsys.readouterr().out
    assert words in printed
    assert ("certificate.grouping shared" in printed) == bool(code), "the command that makes it fit"
    assert "Each certificate can be signed again 4 times" in printed
    assert f"After that, {left} for sandbox.test." in " ".join(printed.split())


@pytest.mark.parametrize("value", ["0", "-1", "two", "1001", "1.5"])
def test_a_bad_number_of_clusters_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*COMMAND, f"--clusters={value}"])
    assert ended.value.code == 2
    assert f"{value!r} is not a number of clusters, 1 to 1000" in capsys.readouterr().err


def test_the_command_for_the_limits_of_an_unknown_ca_is_printed(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config(1, servers={"prod": "https://ca.test/directory"})) == 0
    assert "pulumi config set --stack" in capsys.readouterr().out.replace("\n", " ")
