"""From the state that a killed `up` leaves to one that a refresh can go on from."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tlsctl.__main__ import main
from tlsctl.recover import settle

PARENT = {
    "urn": "urn:pulumi:dev::p::istio-gateway-tls:index:TlsGateway::tls",
    "type": "istio-gateway-tls:index:TlsGateway",
}


def deployment(operation: str, type_: str, inputs: dict[str, Any]) -> dict[str, Any]:
    resource = {"urn": f"urn:pulumi:dev::p::{type_}::x", "type": type_, "custom": True, "inputs": inputs}
    return {"resources": [PARENT], "pending_operations": [{"type": operation, "resource": resource}]}


RECORD_SET = "gcp:dns/recordSet:RecordSet"
RECORD = {"managedZone": "zone", "name": "shop.sandbox.test.", "type": "A"}


def test_what_was_being_created_becomes_a_resource_with_its_providers_id() -> None:
    inputs = {**RECORD, "project": "dns"}
    result, taken = settle(deployment("creating", RECORD_SET, inputs))

    expected = "projects/dns/managedZones/zone/rrsets/shop.sandbox.test./A"
    assert list(taken.values()) == [expected], "which is printed"
    assert [resource.get("id") for resource in result["resources"]] == [None, expected], (
        "it comes after what it depends on"
    )
    assert result["resources"][1]["inputs"] == inputs, "its inputs stay, so that the next up compares with them"
    assert "pending_operations" not in result, "nothing is pending"


@pytest.mark.parametrize(
    ("operation", "type_", "inputs"),
    [
        ("updating", "kubernetes:core/v1:Namespace", {"metadata": {"name": "x"}}),
        ("deleting", "kubernetes:core/v1:Namespace", {"metadata": {"name": "x"}}),
        ("creating", "kubernetes:core/v1:ConfigMap", {"metadata": {"namespace": "x"}}),
        ("creating", "pulumi:providers:kubernetes", {}),
        ("creating", RECORD_SET, RECORD),
    ],
)
def test_what_is_in_the_state_or_has_no_known_id_is_not_added(
    operation: str, type_: str, inputs: dict[str, Any]
) -> None:
    exported = deployment(operation, type_, inputs)
    assert settle(exported) == ({"resources": [PARENT]}, {}), "the refresh finds the rest"
    assert exported["pending_operations"], "what was exported stays as it was"


COMMAND = ["recover", "--stack", "dev", "--config-file", "dev.yaml"]
CERTIFICATE = (
    "kubernetes:cert-manager.io/v1:Certificate",
    {"metadata": {"namespace": "istio-system", "name": "certs"}},
)

PULUMI = """
calls, exported, imported, after = (Path({folder!r}) / each for each in ("calls", "exported", "imported", "looked at"))
with calls.open("a") as file:
    print(*sys.argv[1:], file=file)
if sys.argv[1:3] == ["stack", "export"]:
    print(exported.read_text())
if sys.argv[1:3] == ["stack", "import"]:
    imported.write_text(Path(sys.argv[sys.argv.index("--file") + 1]).read_text())
if "--target" in sys.argv:
    after.rename(exported)
sys.exit(255 if sys.argv[1] == {fails!r} else 0)
"""


def recover(pulumi: Callable[[str], None], folder: Path, exported: Any, fails: str = "") -> tuple[int, list[str]]:
    """Run it on this deployment; return its exit code and what was asked of pulumi."""
    (folder / "exported").write_text(json.dumps({"deployment": exported}))
    pulumi(PULUMI.format(folder=str(folder), fails=fails))
    code = main(COMMAND)
    return code, (folder / "calls").read_text().splitlines()


def test_a_stack_is_released_and_what_was_made_is_written_into_its_state(
    pulumi: Callable[[str], None], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, calls = recover(pulumi, tmp_path, deployment("creating", *CERTIFICATE))
    assert code == 0
    verbs = ["cancel --stack dev", "stack export --stack dev", "stack import --stack dev",
             "refresh --stack dev --config-file dev.yaml", "stack export --stack dev"]  # fmt: skip
    assert [call.startswith(verb) for call, verb in zip(calls, verbs, strict=True)] == [True] * 5, calls
    state = json.loads((tmp_path / "imported").read_text())
    assert state["deployment"]["resources"][-1]["id"] == "istio-system/certs", "with its id"
    printed = capfd.readouterr().out
    assert "$ pulumi refresh --stack dev --config-file dev.yaml" in printed, "every step is printed"
    assert "x, with the id istio-system/certs" in printed
    assert "$ pulumi up --stack dev --config-file dev.yaml" in printed, "and what comes next"


@pytest.mark.parametrize("state", [{"resources": [PARENT]}, {"manifest": {}}], ids=["nothing pending", "empty"])
def test_nothing_is_written_where_nothing_was_interrupted(
    pulumi: Callable[[str], None], tmp_path: Path, state: dict[str, Any]
) -> None:
    code, calls = recover(pulumi, tmp_path, state)
    assert (code, [call.split()[0] for call in calls]) == (0, ["cancel", "stack", "refresh", "stack"])


def test_a_stack_whose_first_resource_was_being_created_has_a_state_of_that_one() -> None:
    (operation,) = deployment("creating", *CERTIFICATE)["pending_operations"]
    (resource,) = settle({"pending_operations": [operation]})[0]["resources"]
    assert resource["id"] == "istio-system/certs"


@pytest.mark.parametrize("fails", ["cancel", "refresh"])
def test_what_fails_is_named_and_ends_it(
    pulumi: Callable[[str], None], tmp_path: Path, capfd: pytest.CaptureFixture[str], fails: str
) -> None:
    code, calls = recover(pulumi, tmp_path, deployment("creating", *CERTIFICATE), fails)
    assert (code, calls[-1].split()[0]) == (1, fails), "nothing follows"
    assert f"pulumi {fails} --stack dev" in capfd.readouterr().err


def release(status: str) -> dict[str, Any]:
    outputs = {"namespace": "cert-manager", "name": "cert-manager", "status": {"status": status}}
    urn = "urn:pulumi:dev::p::istio-gateway-tls:index:CertManager$kubernetes:helm.sh/v3:Release::release"
    return {"resources": [PARENT, {"urn": urn, "type": "kubernetes:helm.sh/v3:Release", "outputs": outputs}]}


def test_what_helm_is_still_installing_is_waited_for(
    pulumi: Callable[[str], None], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tlsctl.recover._PAUSE", 0.0)
    (tmp_path / "looked at").write_text(json.dumps({"deployment": release("deployed")}))
    code, calls = recover(pulumi, tmp_path, release("pending-install"))
    assert code == 0
    assert [call.split()[0] for call in calls] == ["cancel", "stack", "refresh", "stack", "refresh", "stack"]
    assert "--target urn:pulumi:dev::p::istio-gateway-tls:index:CertManager$kubernetes" in calls[4], "it looks again"
    waiting = r"Waiting for the Helm release cert-manager/cert-manager \(pending-install\): \d+ of 300 s"
    assert re.search(waiting, capfd.readouterr().out)


@pytest.mark.parametrize(("status", "verb"), [("pending-install", "uninstall"), ("pending-upgrade", "rollback")])
def test_a_release_that_no_process_finishes_is_reported_with_its_fix(
    pulumi: Callable[[str], None],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    verb: str,
) -> None:
    monkeypatch.setattr("tlsctl.recover.HELM", -1.0)
    code, _ = recover(pulumi, tmp_path, release(status))
    assert code == 1
    output = capfd.readouterr().err
    reported = rf"Helm release cert-manager/cert-manager is {status} for \d+ s: the process that ran it has exited"
    assert re.search(reported, output)
    assert f"helm --namespace cert-manager {verb} cert-manager\n" in output
    assert "python -m tlsctl recover --stack dev --config-file dev.yaml" in output, "and what comes next"
