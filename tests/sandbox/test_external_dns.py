"""external-dns beside a stack: neither touches the other's records, and a record is handed over without a gap.

It is the real program with Google's provider, in a Pod, with an interval of a second. Its policy is `sync`: it deletes
the records that it owns when no object needs them.
"""

import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import google as cloud
from sandbox import tools
from sandbox.node.rootfs import on_host
from sandbox.testing import (
    ISTIO,
    a_records,
    applied,
    changes,
    cloud_dns,
    eventually,
    google,
    kubectl,
    resolve,
    resource,
    txt_records,
)
from tests.sandbox.conftest import NewStack, only_istio
from tests.sandbox.stack import SHOP, Stack

pytestmark = pytest.mark.sandbox

NAME = "external-dns"
RBAC = "rbac.authorization.k8s.io"
ROLES = "/v1/projects/sandbox/roles"
SECRET = "external-dns-certs"
OWNER = "another-team"
OURS: dict[str, Any] = SHOP | {"host": "ours.xdns.sandbox.test"}
THEIRS = OURS | {"host": "theirs.xdns.sandbox.test"}
BY_HAND = "by-external-dns"
READ = {
    "": ["services", "nodes", "pods", "namespaces"],
    "networking.k8s.io": ["ingresses"],
    "networking.istio.io": ["gateways", "virtualservices"],
    "gateway.networking.k8s.io": ["gateways", "httproutes"],
}
PERMISSIONS = [
    "dns.managedZones.list", "dns.resourceRecordSets.list", "dns.resourceRecordSets.create", "dns.changes.create",
    "dns.resourceRecordSets.update", "dns.resourceRecordSets.delete",
]  # fmt: skip
ARGUMENTS = (
    "--source=istio-gateway", "--source=istio-virtualservice", "--source=gateway-httproute", "--provider=google",
    "--google-project=sandbox", "--registry=txt", f"--txt-owner-id={OWNER}", "--policy=sync", "--interval=1s",
    "--domain-filter=sandbox.test",
)  # fmt: skip
PRINCIPAL = (
    "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/sandbox.svc.id.goog"
    f"/subject/ns/{NAME}/sa/{NAME}"
)


@pytest.fixture(scope="module", autouse=True)
def external_dns() -> Iterator[None]:
    """Run external-dns with access to the project's zones."""
    if not tools.is_ready(tools.EXTERNAL_DNS):
        pytest.skip("external-dns is not built: python -m sandbox doctor --fix --tests")
    program = tools.resolve(tools.EXTERNAL_DNS, lambda *_: None)[NAME]
    google("POST", ROLES, {"roleId": "externalDns", "role": {"includedPermissions": PERMISSIONS}})
    grant([{"role": "projects/sandbox/roles/externalDns", "members": [PRINCIPAL]}])
    rules = [
        {"apiGroups": [group], "resources": kinds, "verbs": ["get", "list", "watch"]} for group, kinds in READ.items()
    ]
    environment = {**cloud.ENVIRONMENT, "SSL_CERT_FILE": on_host(cloud.ROOTS)}
    container = {
        "name": NAME, "image": "sandbox/demo", "command": [on_host(program), *ARGUMENTS],
        "env": [{"name": key, "value": str(value)} for key, value in environment.items()],
    }  # fmt: skip
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": NAME}
    subjects = [{"kind": "ServiceAccount", "name": NAME, "namespace": NAME}]
    with applied(
        resource("v1", "Namespace", NAME),
        resource("v1", "ServiceAccount", NAME, NAME),
        resource(f"{RBAC}/v1", "ClusterRole", NAME, rules=rules),
        resource(f"{RBAC}/v1", "ClusterRoleBinding", NAME, roleRef=role, subjects=subjects),
        resource("v1", "Pod", NAME, NAME, spec={"serviceAccountName": NAME, "containers": [container]}),
    ):
        # Before, its node may not know the Pod whose log is read.
        kubectl("wait", f"pod/{NAME}", "--namespace", NAME, "--for=condition=Ready", "--timeout=120s")
        rounds(1)
        yield
    grant([])
    google("DELETE", f"{ROLES}/externalDns")


@pytest.fixture
def theirs() -> Iterator[tuple[list[str], int]]:
    """Another team's VirtualService; returns the record that external-dns has made for it."""
    server = {"port": {"number": 9080, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    gateway = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
    route = [{"route": [{"destination": {"host": "shop.shop.svc.cluster.local"}}]}]
    service = {"hosts": [THEIRS["host"]], "gateways": [BY_HAND], "http": route}
    version = "networking.istio.io/v1"
    with applied(
        resource(version, "Gateway", BY_HAND, ISTIO, spec=gateway),
        resource(version, "VirtualService", BY_HAND, ISTIO, spec=service),
    ):
        yield eventually("external-dns makes the record", lambda: a_records().get(THEIRS["host"]) if owned() else None)
    eventually("external-dns has no record left", lambda: not owned())


@pytest.fixture(scope="module")
def made(new_stack: NewStack) -> Stack:
    return new_stack("xdns", certificate={"secretName": SECRET}, hosts=[OURS])


@pytest.fixture(scope="module")
def stack(made: Stack, api: str) -> Stack:
    """A stack with a host of its own, not yet up."""
    made.write_in(api)
    return made


def grant(bindings: list[dict[str, Any]]) -> None:
    """Replace the IAM policy of the project."""
    google("POST", "/v1/projects/sandbox:setIamPolicy", {"policy": {"bindings": bindings}})


def rounds(more: int) -> None:
    """Wait until external-dns has read and written the zone so many times."""

    def done() -> int:
        return kubectl("logs", NAME, "--namespace", NAME).count("round done")

    # The present round may have begun earlier.
    began = done()
    eventually(f"external-dns has done {more} more rounds", done, until=lambda count: count > began + more)


def owned() -> set[str]:
    """Return the names of external-dns's own TXT records."""
    return {name for name, value in txt_records().items() if "heritage=external-dns" in value}


def test_neither_writes_the_others_records(stack: Stack, theirs: object) -> None:
    stack.stand()
    rounds(1)
    before = changes()
    rounds(2)
    assert changes() == before, "external-dns finds nothing to write, round for round"
    assert owned() == {f"a-{THEIRS['host']}"}, "it owns its own record, and none of the stack's"
    stack.assert_at_rest()
    assert a_records()[THEIRS["host"]] == theirs, "the stack has left its record as it was"

    cloud_dns("DELETE", f"/{OURS['host']}./A")
    rounds(2)
    assert OURS["host"] not in a_records(), (
        "a host of the stack is not made by external-dns, with the name free to take"
    )
    stack.up("--refresh")
    assert OURS["host"] in a_records(), "but by the stack"


@only_istio
def test_what_it_owns_is_refused_and_then_handed_over_without_a_gap(stack: Stack, theirs: object) -> None:
    assert a_records()[THEIRS["host"]] == theirs, "external-dns owns it at first"
    stack.stand()
    host, began = THEIRS["host"], len(changes())
    address = resolve(host)
    with stack.changed(hosts=[OURS, THEIRS]):
        printed = stack.preview(fails=True)
        assert (
            f"record set {host}. A: made by external-dns (owner id {OWNER}, for virtualservice/{ISTIO}/{BY_HAND})"
            in printed
        )
        release, leave, up = commands(printed)
        assert release[:4] == ["gcloud", "dns", "record-sets", "delete"], "it lets go first"
        assert release[4:] == [f"a-{host}.", "--zone", "sandbox", "--type", "TXT"]
        cloud_dns("DELETE", f"/{release[4]}/TXT")
        rounds(2)
        assert not owned(), "external-dns does not own it again"
        assert leave[0] == "kubectl", "and then it has to leave the object alone"
        kubectl(*leave[1:])
        rounds(2)
        assert up == ["pulumi", "up"], "and the stack takes it over"
        stack.up()
        kubectl("delete", "virtualservices", BY_HAND, "--namespace", ISTIO)
        rounds(2)
        assert host in a_records(), "with the object gone too"
        assert resolve(host) == address
        assert not owned(), "and no record is external-dns's"
    for change in changes()[began:]:
        gone, made = (
            {(record["name"], record["type"]) for record in change.get(part, [])} for part in ("deletions", "additions")
        )
        assert (f"{host}.", "A") not in gone - made, "the name was there throughout"
    stack.stand()
    assert host not in a_records(), "without it in the config, the stack takes its record away again"


def commands(printed: str) -> list[list[str]]:
    """Return the commands of the first error, split into words."""
    lines = [line.strip() for line in printed.splitlines()]
    first = next(index for index, line in enumerate(lines) if "made by external-dns" in line)
    return [shlex.split(line, comments=True) for line in lines[first + 1 : first + 4]]
