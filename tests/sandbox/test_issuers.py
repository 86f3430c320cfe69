"""Who can have a certificate signed: a tenant that may create Certificates in a namespace tries the stack's issuers.

The tests share one stack, with ClusterIssuers or with Issuers of the gateway's namespace.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.acme import STAGING
from sandbox.testing import (
    ISTIO,
    applied,
    client,
    delete,
    eventually,
    get,
    ingress_address,
    is_ready,
    items,
    kubectl,
    live,
    names,
    record_sets,
    resource,
)
from tests.sandbox.conftest import NewStack
from tests.sandbox.stack import ISSUER, SECRET, SHOP, Stack

pytestmark = pytest.mark.sandbox

TENANT = "attacker"
AS_TENANT = f"--as=system:serviceaccount:{TENANT}:tenant"
BLOG = SHOP | {"host": "blog.sandbox.test"}
NARROW = {"issuerKind": "Issuer"}
VICTIM = "victim.sandbox.test"
"""Another team's name in the same zone, at the same gateway."""
Ask = Callable[..., None]
"""Creates a Certificate for a name and a host, with the keywords `kind` and `issuer`."""


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    """A stack with ClusterIssuers for its own name."""
    return new_stack("issuers", acme={"dnsZones": None}, hosts=[SHOP])


@pytest.fixture
def narrow(shared: Stack) -> Iterator[Stack]:
    """The stack, up with Issuers of the gateway's namespace."""
    with shared.changed(acme=NARROW):
        shared.stand()
        yield shared


@pytest.fixture(scope="module", autouse=True)
def tenant(shared: Stack) -> Iterator[None]:  # noqa: ARG001 - it ends before the stack's cert-manager does
    """A ServiceAccount whose only right is to create and read Certificates in its namespace; and the victim's name."""
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["cert-manager.io"], "resources": ["certificates"], "verbs": ["create", "get"]}]
    role = {"apiGroup": rbac, "kind": "Role", "name": "certificates"}
    subjects = [{"kind": "ServiceAccount", "name": "tenant", "namespace": TENANT}]
    record = {"name": f"{VICTIM}.", "type": "A", "ttl": 5, "rrdatas": [ingress_address()]}
    with (
        record_sets(record),
        applied(
            resource("v1", "Namespace", TENANT),
            resource("v1", "ServiceAccount", "tenant", TENANT),
            resource(f"{rbac}/v1", "Role", "certificates", TENANT, rules=rules),
            resource(f"{rbac}/v1", "RoleBinding", "certificates", TENANT, roleRef=role, subjects=subjects),
        ),
    ):
        yield


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Creates Certificates as the tenant, and removes them after the test, while their issuers still exist."""
    certificates: list[dict[str, Any]] = []

    def create(name: str, host: str, *, kind: str = "ClusterIssuer", issuer: str = ISSUER) -> None:
        spec = {"secretName": name, "dnsNames": [host], "issuerRef": {"kind": kind, "name": issuer}}
        certificates.append(resource("cert-manager.io/v1", "Certificate", name, TENANT, spec=spec))
        kubectl("create", AS_TENANT, manifest=certificates[-1])

    yield create
    delete(*certificates)
    kubectl("delete", "secrets", "--all", f"--namespace={TENANT}")


def is_signed(name: str) -> bool:
    """Tell whether a Certificate of the tenant is signed, with its key in a Secret of the tenant's namespace."""
    return is_ready("certificate", name, TENANT) and get("secret", name, TENANT) is not None


def refusal(name: str) -> str:
    """Return cert-manager's reason not to sign a Certificate of the tenant, empty while it gives none.

    A missing issuer is a condition of the request, a missing solver an event of the Order.
    """
    certificate = f"{name}-1"
    requests = [one for one in items("certificaterequests", TENANT) if one["metadata"]["name"] == certificate]
    conditions = [condition for request in requests for condition in request.get("status", {}).get("conditions", [])]
    events = [one for one in items("events", TENANT) if one["involvedObject"]["name"].startswith(f"{certificate}-")]
    messages = [one.get("message", "") for one in (*conditions, *events)]
    return next((text for text in messages if "not found" in text or "no configured challenge solvers" in text), "")


def assert_nothing(name: str, because: str) -> None:
    """Assert that a Certificate of the tenant is refused, and that the tenant has nothing of it."""
    reason = eventually(f"cert-manager refuses {name}", lambda: refusal(name))
    assert because in reason, "for this reason"
    assert not is_signed(name), "no certificate"
    assert name not in names("secrets", TENANT), "and no key"
    assert not items("challenges", TENANT), "and it has not tried to prove the name"


@pytest.fixture
def unlimited(stack: Stack) -> Iterator[str]:  # noqa: ARG001 - it has cert-manager
    """A ClusterIssuer like the stack's, for any name."""
    spec: Any = live("clusterissuer", ISSUER)["spec"]
    for solver in spec["acme"]["solvers"]:
        del solver["selector"]
    spec["acme"]["privateKeySecretRef"]["name"] = "unlimited-account-key"
    with applied(resource("cert-manager.io/v1", "ClusterIssuer", "unlimited", spec=spec)):
        yield "unlimited"


def test_a_cluster_issuer_without_limits_signs_any_name_for_any_namespace(unlimited: str, ask: Ask) -> None:
    ask("another-name", VICTIM, issuer=unlimited)
    ask("the-stacks-name", SHOP["host"], issuer=unlimited)
    eventually("the tenant has another team's name", lambda: is_signed("another-name"))
    eventually("and the stack's", lambda: is_signed("the-stacks-name"))


@pytest.mark.usefixtures("stack")
def test_the_stacks_cluster_issuer_does_not_sign_another_name(ask: Ask) -> None:
    ask("another-name-of-the-zone", VICTIM)
    assert_nothing("another-name-of-the-zone", "no configured challenge solvers can be used")


def test_what_a_cluster_issuer_leaves_open_is_told(stack: Stack, ask: Ask) -> None:
    ask("the-stacks-own-name", SHOP["host"])
    eventually("a user who may create Certificates has the stack's own name", lambda: is_signed("the-stacks-own-name"))
    assert stack.outputs()["issuerScope"] == "Certificates in any namespace, for shop.sandbox.test", (
        "as the output says"
    )
    with stack.changed(production=True):
        assert "pulumi config set --path acme.issuerKind Issuer" in stack.preview(), "and warned of in production"


def test_a_second_stack_gets_the_command_that_lists_its_name(stack: Stack, tmp_path: Path) -> None:
    with Stack("second", tmp_path) as second:
        second.configure(
            acme={"timeout": 10},
            certManager={"install": False},
            certificate={"secretName": "second-certs"},
            hosts=[BLOG],
        )
        printed = second.up(fails=True)
        assert "no solver of the issuer is for blog.sandbox.test" in printed, "which cert-manager says only in an event"
        assert "pulumi config set --path 'acme.dnsNames[0]' blog.sandbox.test" in printed, "and the command"

        with stack.changed(acme={"dnsNames": ["blog.sandbox.test"]}):
            assert stack.plan() == {"issuers-staging": "update", "issuers-prod": "update"}, "the issuers alone change"
            stack.up()
        second.configure(acme={"timeout": 60})
        second.up()
        trust = client.trusting(STAGING)
        eventually("its host is served", lambda: client.served("blog.sandbox.test", trust))


def test_another_kind_of_issuer_signs_again_without_a_failed_request(stack: Stack) -> None:
    trust = client.trusting(STAGING)
    old = eventually("the host is served", lambda: client.served(SHOP["host"], trust)).serial
    with stack.changed(acme=NARROW):
        with client.traffic(SHOP["host"], trust) as seen:
            stack.up()
            client.another(SHOP["host"], trust, old)
        assert stack.plan() == {}, "the stack is at rest"
    assert seen.failures == [], f"no request failed, of {seen.answered}"
    assert names("issuers", ISTIO) == {ISSUER, "letsencrypt-prod-istio"}, "both are in the gateway's namespace"
    assert names("clusterissuers") == set(), "and no ClusterIssuer is left"
    certificate = live("certificate", SECRET, ISTIO)
    assert certificate["spec"]["issuerRef"]["kind"] == "Issuer", "signed by the new issuer"
    assert stack.outputs()["issuerScope"] == "Certificates in istio-system", "the output says for whom"


@pytest.mark.usefixtures("narrow")
def test_an_issuer_of_the_gateways_namespace_signs_for_nobody_else(ask: Ask) -> None:
    ask("by-issuer", SHOP["host"], kind="Issuer")
    ask("by-cluster-issuer", SHOP["host"])
    ask("another-by-issuer", VICTIM, kind="Issuer")
    assert_nothing("by-issuer", f'issuer.cert-manager.io "{ISSUER}" not found')
    assert_nothing("by-cluster-issuer", f'clusterissuer.cert-manager.io "{ISSUER}" not found')
    assert_nothing("another-by-issuer", f'issuer.cert-manager.io "{ISSUER}" not found')
    with pytest.raises(AssertionError, match="forbidden"):
        kubectl("create", AS_TENANT, manifest=resource("cert-manager.io/v1", "Certificate", "theirs", ISTIO, spec={}))
