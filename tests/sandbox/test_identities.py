"""The shipped roles: a stack's whole life runs with them, and they have no right that it does not use.

Each identity is a user with a client certificate; on GKE, it is a Google account.
"""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.cert_manager import chart_values
from components.specs import istio
from deploy.bootstrap.rbac.manifests import FILES, Place, manifests, rights, roles
from deploy.bootstrap.rbac.rights import compare, rights_of, uses
from sandbox import paths
from sandbox.acme import STAGING
from sandbox.controlplane import API_SERVER, AUDIT_LOG
from sandbox.pki import Authority
from sandbox.testing import kubectl
from tests.sandbox import chart
from tests.sandbox.stack import SHOP, Stack

pytestmark = pytest.mark.sandbox

STACK = "roles"
EDGE = "edge"
"""The Service of a gateway that Istio runs for the stack."""
GATEWAYS = [f"{istio.NAMESPACE}/{service}" for service in (istio.SERVICE, EDGE)]
PLACE = Place(gateways=GATEWAYS, applications=[SHOP["namespace"]], stack=STACK)
ENDED = 120
"""Seconds for a check of the live environment."""


def user(identity: str) -> str:
    """Return the name of the stack's identity in the cluster."""
    return f"pulumi-{identity}-{STACK}@sandbox.iam.gserviceaccount.com"


class Identities:
    """A stack with the kubeconfig of one identity or another."""

    def __init__(self, folder: Path) -> None:
        self.stack = Stack(STACK, folder)
        self._kubeconfig = folder / "kubeconfig"
        self._authority = Authority.load(paths.PKI / "ca.crt", paths.PKI / "ca.key", folder)
        # One path for all of them, since the path is what the state holds.
        self.stack.configure(kubeconfig=str(self._kubeconfig))

    def grant(self, identity: str) -> None:
        """Give an identity its roles, as the administrator of the cluster does."""
        kubectl("apply", manifest=list(manifests(identity, user(identity), PLACE)))

    def become(self, identity: str) -> Stack:
        """Run what follows as an identity."""
        self._authority.issue(identity, user(identity))
        names = {"cluster": "ca.crt", "certificate": f"{identity}.crt", "key": f"{identity}.key"}
        data = {
            part: base64.b64encode((self._authority.folder / file).read_bytes()).decode()
            for part, file in names.items()
        }
        cluster = {"server": API_SERVER, "certificate-authority-data": data["cluster"]}
        credentials = {"client-certificate-data": data["certificate"], "client-key-data": data["key"]}
        content = {
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": credentials}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }  # fmt: skip
        self._kubeconfig.write_text(json.dumps(content))
        return self.stack

    def check(self) -> None:
        """Check the live environment, as after an update and every night."""
        done = self.stack.tlsctl("verify", "--ca", str(STAGING.root_file))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "not read from here" not in done.stdout, f"every part of it is let in: {done.stdout}"


CHANGED = {
    "acme": {"email": "other@sandbox.test"},
    "hosts": [SHOP],
    # A label of every object of the chart, its definitions included, as another version would change.
    "certManager": {"values": {"global": {"commonLabels": {"changed": "yes"}}}},
    "mtls": "permissive",
    "reserveHosts": True,
}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stack's life, with the identity of each part; returns drift's preview in between."""
    identities = Identities(tmp_path_factory.mktemp("identities"))
    identities.grant("preview")
    identities.grant("deploy")
    try:
        with identities.stack:
            identities.become("preview").preview()
            identities.become("deploy").up()
            identities.check()
            # Its namespace exists from here on.
            identities.grant("drift")
            # A CA of which nobody has a certificate.
            clients = {"clientCa": (paths.PKI / "ca.crt").read_text()}
            with identities.stack.changed(**CHANGED, tls=clients):
                assert "other@sandbox.test" in identities.become("preview").preview(), "what would change"
                identities.become("deploy").up()
                seen = identities.become("drift").preview("--refresh", "--expect-no-changes")
                identities.check()
            # To the Gateway API, and then to a gateway that Istio runs.
            managed = {"deployment": "managed", "service": EDGE}
            for change in ({}, {"ingress": managed}):
                identities.stack.configure(api="gateway", hosts=[SHOP], **change)
                identities.become("preview").preview()
                moved = identities.become("deploy").up()
                assert "cannot be moved aside" not in moved, "the old Gateway stays until its connections have ended"
                seen += identities.become("drift").preview("--refresh", "--expect-no-changes")
                identities.check()
            identities.become("deploy")
        yield seen
    finally:
        for identity in FILES:
            kubectl("delete", "--ignore-not-found", manifest=list(manifests(identity, user(identity), PLACE)))


@pytest.mark.parametrize("identity", FILES)
def test_an_identity_may_what_it_does_and_no_more(lived: str, identity: str) -> None:
    assert lived, "previews, updates, checks, a look for drift and the end went through with these roles alone"
    always, seldom = rights(roles(identity, PLACE))
    with AUDIT_LOG.open() as lines:
        comparison = compare(always, uses(lines, user(identity)), seldom)

    assert comparison.missing == [], "requested and refused"
    assert comparison.unused == [], "granted and never used"


def test_an_update_holds_what_the_chart_grants_and_no_more() -> None:
    objects = chart.rendered(chart_values(chart.NAME, {}))
    grants = {right for obj in objects if obj["kind"] in ("Role", "ClusterRole") for right in rights_of(obj["rules"])}
    (held,) = (role for role in roles("deploy") if role["metadata"]["name"].endswith("-grants"))
    granted = set(rights_of(held["rules"]))

    assert [right for right in grants if not any(one.covers(right) for one in granted)] == [], "it could not grant it"
    assert granted - grants == set(), "it holds what nothing grants"


@pytest.mark.parametrize(
    ("identity", "asked"),
    [
        ("preview", "get secrets/istio-ingressgateway-certs --namespace istio-system"),
        ("preview", "list secrets --namespace cert-manager"),
        ("preview", "create certificates.cert-manager.io --namespace istio-system"),
        ("preview", "patch gateways.networking.istio.io --namespace istio-system"),
        ("drift", "get secrets/another --namespace istio-system"),
        ("drift", "list secrets --namespace istio-system"),
        ("drift", "list secrets --namespace default"),
        ("drift", "patch certificates.cert-manager.io --namespace istio-system"),
        ("deploy", "escalate clusterroles.rbac.authorization.k8s.io"),
        ("deploy", "bind clusterroles.rbac.authorization.k8s.io"),
        ("deploy", "patch clusterroles.rbac.authorization.k8s.io/cluster-admin"),
        ("deploy", "patch deployments.apps/another --namespace default"),
        ("deploy", "impersonate users"),
        ("deploy", "patch peerauthentications.security.istio.io/default --namespace istio-system"),
        ("deploy", "delete peerauthentications.security.istio.io/another --namespace shop"),
    ],
)
def test_an_identity_may_not(lived: str, identity: str, asked: str) -> None:
    assert lived
    done = subprocess.run(
        ["kubectl", "auth", "can-i", *asked.split(), "--as", user(identity)],
        capture_output=True, text=True, timeout=ENDED, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "no", f"{identity} may {asked}: {done.stderr}"
