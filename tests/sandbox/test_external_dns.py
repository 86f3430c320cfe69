"""external-dns beside a stack: each leaves the other's records alone, and what it owns is handed over without a gap.

It is the real one with the provider of Google, in a Pod, and looks once a second. The policy is `sync`: it deletes what
it owns when nothing wants it any more.
"""

import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import google, tools
from sandbox.node.rootfs import on_host
from sandbox.testing import ZONES, a_records, cloud_dns, eventually, kubectl, resolve
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
NAME = "external-dns"
SECRET = "external-dns-certs"
OWNER = "another-team"
OURS: dict[str, Any] = {"host": "ours.xdns.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
THEIRS = OURS | {"host": "theirs.xdns.sandbox.test"}
BY_HAND = "by-external-dns"
READ = {
    "": ["services", "nodes", "pods", "namespaces"],
    "networking.k8s.io": ["ingresses"],
    "networking.istio.io": ["gateways", "virtualservices"],
}
PERMISSIONS = [
    "dns.managedZones.list", "dns.resourceRecordSets.list", "dns.resourceRecordSets.create", "dns.changes.create",
    "dns.resourceRecordSets.update", "dns.resourceRecordSets.delete",
]  # fmt: skip
ARGUMENTS = (
    "--source=istio-gateway", "--source=istio-virtualservice", "--provider=google", "--google-project=sandbox",
    "--registry=txt", f"--txt-owner-id={OWNER}", "--policy=sync", "--interval=1s", "--domain-filter=sandbox.test",
)  # fmt: skip
PRINCIPAL = (
    "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/sandbox.svc.id.goog"
    f"/subject/ns/{NAME}/sa/{NAME}"
)


@pytest.fixture(scope="module", autouse=True)
def external_dns() -> Iterator[None]:
    """external-dns runs, with access to the project's zones."""
    if not tools.is_ready(tools.EXTERNAL_DNS):
        pytest.skip("external-dns is not built: python -m sandbox doctor --fix --tests")
    program = tools.resolve(tools.EXTERNAL_DNS, lambda *_: None)[NAME]
    cloud_dns("POST", "", {"roleId": "externalDns", "role": {"includedPermissions": PERMISSIONS}}, below=ROLES)
    role = "projects/sandbox/roles/externalDns"
    grant([{"role": role, "members": [PRINCIPAL]}])
    kubectl("create", "namespace", NAME)
    kubectl("create", "serviceaccount", NAME, "--namespace", NAME)
    rules = [
        {"apiGroups": [group], "resources": kinds, "verbs": ["get", "list", "watch"]} for group, kinds in READ.items()
    ]
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": NAME}}
    kubectl("create", manifest={**kind, "rules": rules})
    kubectl("create", "clusterrolebinding", NAME, f"--clusterrole={NAME}", f"--serviceaccount={NAME}:{NAME}")
    environment = {**google.ENVIRONMENT, "SSL_CERT_FILE": on_host(google.ROOTS)}
    container = {
        "name": NAME, "image": "sandbox/demo", "command": [on_host(program), *ARGUMENTS],
        "env": [{"name": key, "value": str(value)} for key, value in environment.items()],
    }  # fmt: skip
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME, "namespace": NAME}}
    kubectl("create", manifest={**pod, "spec": {"serviceAccountName": NAME, "containers": [container]}})
    rounds(1)
    yield
    kubectl("delete", "namespace", NAME)
    kubectl("delete", "clusterrolebinding,clusterrole", NAME)
    grant([])
    cloud_dns("DELETE", "/externalDns", below=ROLES)


@pytest.fixture(scope="module")
def theirs() -> Iterator[tuple[list[str], int]]:
    """A VirtualService of somebody else, with the record that external-dns has made for it."""
    server = {"port": {"number": 9080, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    made = {"apiVersion": "networking.istio.io/v1", "metadata": {"name": BY_HAND, "namespace": ISTIO}}
    selector = {"istio": "ingressgateway"}
    kubectl("create", manifest={**made, "kind": "Gateway", "spec": {"selector": selector, "servers": [server]}})
    route = [{"route": [{"destination": {"host": "shop.shop.svc.cluster.local"}}]}]
    spec = {"hosts": [THEIRS["host"]], "gateways": [BY_HAND], "http": route}
    kubectl("create", manifest={**made, "kind": "VirtualService", "spec": spec})
    yield eventually("external-dns makes the record", lambda: a_records().get(THEIRS["host"]))
    kubectl(
        "delete", "gateways.networking.istio.io,virtualservices", BY_HAND, "--namespace", ISTIO, "--ignore-not-found"
    )
    eventually("external-dns has no record left", lambda: not texts())


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack("xdns", tmp_path_factory.mktemp("stacks")) as stack:
        stack.configure(certificate={"secretName": SECRET}, hosts=[OURS])
        yield stack
    kubectl("delete", "secret", SECRET, "--namespace", ISTIO, "--ignore-not-found")


ROLES = "/v1/projects/sandbox/roles"


def grant(bindings: list[dict[str, Any]]) -> None:
    """Replace the IAM policy of the project."""
    cloud_dns("POST", "", {"policy": {"bindings": bindings}}, below="/v1/projects/sandbox:setIamPolicy")


def rounds(more: int) -> None:
    """Wait until external-dns has looked, and written what it wants, so many times."""

    def done() -> int:
        return kubectl("logs", NAME, "--namespace", NAME).count("round done")

    # The round that is under way may have looked before.
    began = done()
    eventually(f"external-dns has done {more} more rounds", done, until=lambda each: each > began + more)


def texts() -> dict[str, str]:
    """The values of the zone's TXT records that external-dns has made."""
    sets = cloud_dns("GET")["rrsets"]
    found = {each["name"].rstrip("."): each["rrdatas"][0] for each in sets if each["type"] == "TXT"}
    return {name: value for name, value in found.items() if "heritage=external-dns" in value}


def changes() -> list[dict[str, Any]]:
    """Every change that was ever made in the zone."""
    found: list[dict[str, Any]] = cloud_dns("GET", "/sandbox/changes?maxResults=1000&sortOrder=ascending", below=ZONES)[
        "changes"
    ]
    return found


def test_neither_writes_the_others_records(stack: Stack, theirs: object) -> None:
    stack.up()
    rounds(1)
    before = changes()
    rounds(2)
    assert changes() == before, "external-dns finds nothing to write, round for round"
    assert set(texts()) == {f"a-{THEIRS['host']}"}, "it owns its own record, and none of the stack's"
    stack.preview("--refresh", "--expect-no-changes")
    assert a_records()[THEIRS["host"]] == theirs, "the stack has left its record as it was"

    cloud_dns("DELETE", f"/{OURS['host']}./A")
    rounds(2)
    assert OURS["host"] not in a_records(), (
        "a host of the stack is not made by external-dns, with the name free to take"
    )
    stack.run("up", "--yes", "--skip-preview", "--refresh")
    assert OURS["host"] in a_records(), "but by the stack"


def test_what_it_owns_is_refused_and_then_handed_over_without_a_gap(stack: Stack, theirs: object) -> None:
    assert a_records()[THEIRS["host"]] == theirs, "it is external-dns's at first"
    stack.stand()
    host, began = THEIRS["host"], len(changes())
    address = resolve(host)
    with stack.changed(hosts=[OURS, THEIRS]):
        told = stack.preview(fails=True)
        assert (
            f"record set {host}. A: made by external-dns (owner id {OWNER}, for virtualservice/{ISTIO}/{BY_HAND})"
            in told
        )
        release, leave, up = commands(told)
        assert release[:4] == ["gcloud", "dns", "record-sets", "delete"], "it lets go first"
        assert release[4:] == [f"a-{host}.", "--zone", "sandbox", "--type", "TXT"]
        cloud_dns("DELETE", f"/{release[4]}/TXT")
        rounds(2)
        assert not texts(), "external-dns does not own it again"
        assert leave[0] == "kubectl", "and is then told to leave the object alone"
        kubectl(*leave[1:])
        rounds(2)
        assert up == ["pulumi", "up"], "and the stack takes it over"
        stack.up()
        kubectl("delete", "virtualservices", BY_HAND, "--namespace", ISTIO)
        rounds(2)
        assert host in a_records(), "with the object gone too"
        assert resolve(host) == address
        assert not texts(), "and no record is external-dns's"
    for change in changes()[began:]:
        gone, made = (
            {(each["name"], each["type"]) for each in change.get(part, [])} for part in ("deletions", "additions")
        )
        assert (f"{host}.", "A") not in gone - made, "the name was there throughout"


def test_what_it_owns_by_a_txt_record_with_a_prefix_is_refused_too(stack: Stack) -> None:
    stack.stand()
    host = OURS | {"host": "prefixed.xdns.sandbox.test"}
    txt = f"edns-a-{host['host']}."
    value = '"heritage=external-dns,external-dns/owner=prefixed,external-dns/resource=service/shop/shop"'
    made = [
        {"name": txt, "type": "TXT", "ttl": 60, "rrdatas": [value]},
        {"name": f"{host['host']}.", "type": "A", "ttl": 60, "rrdatas": ["192.0.2.1"]},
    ]
    for each in made:
        cloud_dns("POST", "", each)
    try:
        with stack.changed(hosts=[OURS, host]):
            told = stack.preview(fails=True)
        assert f"record set {host['host']}. A: made by external-dns (owner id prefixed" in told
        assert commands(told)[0][:5] == ["gcloud", "dns", "record-sets", "delete", txt]
    finally:
        for each in made:
            cloud_dns("DELETE", f"/{each['name']}/{each['type']}")


def commands(told: str) -> list[list[str]]:
    """The commands of the first error, each as its words."""
    lines = [line.strip() for line in told.splitlines()]
    first = next(index for index, line in enumerate(lines) if "made by external-dns" in line)
    return [shlex.split(line, comments=True) for line in lines[first + 1 : first + 4]]
