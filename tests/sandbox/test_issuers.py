"""Who can have a certificate signed: a tenant who may create Certificates in a namespace tries the stack's issuers.

The tests share one stack, which each finds standing: with ClusterIssuers, or with Issuers of the gateway's namespace.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.acme import STAGING
from sandbox.testing import client, cloud_dns, eventually, get, items, kubectl, live, names
from sandbox.testing.cluster import secrets_removed
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
TENANT = "attacker"
ISSUER = "letsencrypt-staging-istio"
SHOP: dict[str, Any] = {"host": "shop.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
BLOG = SHOP | {"host": "blog.sandbox.test"}
NARROW = {"issuerKind": "Issuer"}
VICTIM = "victim.sandbox.test"
"""Another team's name in the same zone, at the same gateway."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that is up, with ClusterIssuers for its own name."""
    with Stack("issuers", tmp_path_factory.mktemp("stacks")) as stack:
        stack.configure(acme={"dnsZones": None}, hosts=[SHOP])
        stack.up()
        yield stack


@pytest.fixture
def stack(shared: Stack) -> Stack:
    """The stack, standing with ClusterIssuers."""
    shared.stand()
    return shared


@pytest.fixture
def narrow(shared: Stack) -> Iterator[Stack]:
    """The stack, standing with Issuers of the gateway's namespace."""
    with shared.changed(acme=NARROW):
        shared.stand()
        yield shared


@pytest.fixture(scope="module", autouse=True)
def tenant(shared: Stack) -> Iterator[None]:
    """A ServiceAccount whose only right is to create and read Certificates in its namespace; and the victim's name."""
    subject = {"kind": "ServiceAccount", "name": "tenant", "namespace": TENANT}
    rule = {"apiGroups": ["cert-manager.io"], "resources": ["certificates"], "verbs": ["create", "get"]}
    metadata = {"name": "certificates", "namespace": TENANT}
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": metadata}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "certificates"}
    kubectl("create", "namespace", TENANT)
    kubectl("create", "serviceaccount", "tenant", "--namespace", TENANT)
    kubectl("create", manifest=rbac | {"kind": "Role", "rules": [rule]})
    kubectl("create", manifest=rbac | {"kind": "RoleBinding", "roleRef": role, "subjects": [subject]})
    record = {"name": f"{VICTIM}.", "type": "A", "ttl": 5, "rrdatas": [shared.outputs()["ingressIp"]]}
    cloud_dns("POST", body=record)
    yield
    cloud_dns("DELETE", f"/{VICTIM}./A")
    kubectl("delete", "namespace", TENANT)


def ask(name: str, host: str, *, kind: str = "ClusterIssuer", issuer: str = ISSUER, namespace: str = TENANT) -> None:
    """Create a Certificate as the tenant."""
    spec = {"secretName": name, "dnsNames": [host], "issuerRef": {"kind": kind, "name": issuer}}
    metadata = {"name": name, "namespace": namespace}
    certificate = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": metadata, "spec": spec}
    kubectl("create", f"--as=system:serviceaccount:{TENANT}:tenant", manifest=certificate)


def is_signed(name: str) -> bool:
    """Whether a Certificate of the tenant is signed, with its key in a Secret of the tenant's namespace."""
    conditions = (get("certificate", name, TENANT) or {}).get("status", {}).get("conditions", [])
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and get("secret", name, TENANT) is not None


def refusal(name: str) -> str:
    """What cert-manager says of a Certificate of the tenant that it will not have signed; empty while it says nothing.

    That its issuer is missing is a condition of its request, that no solver is for its name an event of its Order.
    """
    certificate = f"{name}-1"
    requests = [each for each in items("certificaterequests", TENANT) if each["metadata"]["name"] == certificate]
    conditions = [each for request in requests for each in request.get("status", {}).get("conditions", [])]
    events = [each for each in items("events", TENANT) if each["involvedObject"]["name"].startswith(f"{certificate}-")]
    told = [each.get("message", "") for each in (*conditions, *events)]
    return next((each for each in told if "not found" in each or "no configured challenge solvers" in each), "")


def assert_nothing(name: str, because: str) -> None:
    """Assert that a Certificate of the tenant is refused, and that nothing of it is left with the tenant."""
    said = eventually(f"cert-manager refuses {name}", lambda: refusal(name))
    assert because in said, "for this reason"
    assert not is_signed(name), "no certificate"
    assert name not in names("secrets", TENANT), "and no key"
    assert not items("challenges", TENANT), "nor has it tried to prove the name"


def issuer_spec() -> Any:
    """The spec of the stack's issuer."""
    return live("clusterissuer", ISSUER)["spec"]


@pytest.mark.usefixtures("stack")
def test_a_cluster_issuer_without_limits_signs_any_name_for_any_namespace() -> None:
    spec = issuer_spec()
    for solver in spec["acme"]["solvers"]:
        del solver["selector"]
    spec["acme"]["privateKeySecretRef"]["name"] = "unlimited-account-key"
    metadata = {"name": "unlimited"}
    kubectl("create", manifest={
        "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": metadata, "spec": spec
    })  # fmt: skip
    try:
        ask("another-name", VICTIM, issuer="unlimited")
        ask("the-stacks-name", SHOP["host"], issuer="unlimited")
        eventually("the tenant has another team's name", lambda: is_signed("another-name"))
        eventually("and the stack's", lambda: is_signed("the-stacks-name"))
    finally:
        kubectl("delete", "clusterissuer", "unlimited")


@pytest.mark.usefixtures("stack")
def test_the_stacks_cluster_issuer_does_not_sign_another_name() -> None:
    ask("another-name-of-the-zone", VICTIM)
    assert_nothing("another-name-of-the-zone", "no configured challenge solvers can be used")


def test_what_a_cluster_issuer_leaves_open_is_told(stack: Stack) -> None:
    ask("the-stacks-own-name", SHOP["host"])
    eventually("whoever may create Certificates has the stack's own name", lambda: is_signed("the-stacks-own-name"))
    assert stack.outputs()["issuerScope"] == "Certificates in any namespace, for shop.sandbox.test", "as it is read out"
    with stack.changed(production=True):
        assert "pulumi config set --path acme.issuerKind Issuer" in stack.preview(), "and warned of in production"


def test_a_second_stack_is_told_where_to_list_its_name(stack: Stack, tmp_path: Path) -> None:
    with secrets_removed("second-certs"), Stack("second", tmp_path) as second:
        second.configure(
            acme={"timeout": 10},
            certManager={"install": False},
            certificate={"secretName": "second-certs"},
            hosts=[BLOG],
        )
        told = second.up(fails=True)
        assert "no solver of the issuer is for blog.sandbox.test" in told, "which cert-manager tells in an event alone"
        assert "pulumi config set --path 'acme.dnsNames[0]' blog.sandbox.test" in told, "and the command"

        with stack.changed(acme={"dnsNames": ["blog.sandbox.test"]}):
            assert stack.plan() == {"issuers-staging": "update", "issuers-prod": "update"}, "the issuers alone change"
            stack.up()
        second.configure(acme={"timeout": 60})
        second.up()
        trust = client.trusting(STAGING)
        eventually("its host is served", lambda: client.served("blog.sandbox.test", trust))


def test_another_kind_signs_anew_without_a_failed_request(stack: Stack) -> None:
    trust = client.trusting(STAGING)
    old = eventually("the host is served", lambda: client.served(SHOP["host"], trust)).serial
    with stack.changed(acme=NARROW):
        with client.traffic(SHOP["host"], trust) as seen:
            stack.up()
            eventually("the new certificate is served", lambda: client.https(SHOP["host"], trust).serial != old)
        assert stack.plan() == {}, "the stack is at rest"
    assert seen.failures == [], f"no request failed, of {seen.answered}"
    assert names("issuers", ISTIO) == {ISSUER, "letsencrypt-prod-istio"}, "both are in the gateway's namespace"
    assert names("clusterissuers") == set(), "and none is left for everybody"
    certificate = live("certificate", "istio-ingressgateway-certs", ISTIO)
    assert certificate["spec"]["issuerRef"]["kind"] == "Issuer", "signed by the new issuer"
    assert stack.outputs()["issuerScope"] == "Certificates in istio-system", "the read-out says for whom"


@pytest.mark.usefixtures("narrow")
def test_an_issuer_of_the_gateways_namespace_signs_for_nobody_else() -> None:
    ask("by-issuer", SHOP["host"], kind="Issuer")
    ask("by-cluster-issuer", SHOP["host"])
    ask("another-by-issuer", VICTIM, kind="Issuer")
    assert_nothing("by-issuer", f'issuer.cert-manager.io "{ISSUER}" not found')
    assert_nothing("by-cluster-issuer", f'clusterissuer.cert-manager.io "{ISSUER}" not found')
    assert_nothing("another-by-issuer", f'issuer.cert-manager.io "{ISSUER}" not found')
    with pytest.raises(AssertionError, match="forbidden"):
        ask("in-the-gateways-namespace", SHOP["host"], kind="Issuer", namespace=ISTIO)


def test_a_second_stack_shares_the_issuers_of_the_gateways_namespace(narrow: Stack, tmp_path: Path) -> None:
    with secrets_removed("second-certs"), Stack("second", tmp_path) as second:
        second.configure(
            acme={"dnsZones": None, "issuerKind": "Issuer"},
            certManager={"install": False},
            certificate={"secretName": "second-certs"},
            hosts=[BLOG],
        )
        second.up()
        assert narrow.plan() == {}, "the first is as it was"


def test_an_issuer_that_is_not_ready_is_told_with_the_reason(narrow: Stack) -> None:
    with narrow.changed(acme={"timeout": 5, "servers": {"prod": "https://acme-prod.sandbox.test:1/dir"}}):
        told = narrow.up(fails=True)
    assert "letsencrypt-prod-istio is not Ready:" in told, "the object is named"
    assert "acme-prod.sandbox.test:1" in told, "with cert-manager's reason"
    narrow.up()
