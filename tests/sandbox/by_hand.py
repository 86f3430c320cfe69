"""TLS on the gateway as a team sets it up by hand, and the commands that lead from there to a stack."""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import yaml

from sandbox.acme import PROD
from sandbox.testing import ISTIO, cloud_dns, eventually, ingress_address, kubectl, resource, restored
from sandbox.testing.engine import TIMEOUT as OF_PULUMI
from tests.sandbox import chart
from tests.sandbox.stack import PREFIX, PROJECT, SECRET

GATEWAY = "istio-tls-gateway"
ROUTE = "shop-route"
CONFIG: dict[str, Any] = yaml.safe_load((PROJECT / "Pulumi.sandbox.yaml").read_text())["config"]
ISSUERS = {f"letsencrypt-{environment}-istio": environment for environment in ("staging", "prod")}
"""The environment of each issuer."""
CLASS = {"class": "istio"}
BY_ROUTE = {"parentRefs": [{"kind": "Gateway", "name": GATEWAY, "namespace": ISTIO}]}
READS_GATEWAY_API = {
    "apiVersion": "controller.config.cert-manager.io/v1alpha1",
    "kind": "ControllerConfiguration",
    "gatewayAPI": {"enabled": True},
}
VALUES = {"crds": {"enabled": True}, "config": READS_GATEWAY_API, **CONFIG[f"{PREFIX}certManager"]["values"]}
TIMEOUT = 120


@contextmanager
def cert_manager(*, by: str) -> Iterator[None]:
    """Install cert-manager by its manifest or by Helm, and remove everything that is made in the block."""
    with restored():
        if by == "helm":
            options = ["--create-namespace", f"--namespace={chart.NAME}"]
            chart.helm("install", chart.NAME, str(chart.FOLDER), *options, values=VALUES)
            yield
            return
        manifest = chart.rendered(VALUES, "--no-hooks")
        kubectl("create", "namespace", "cert-manager")
        kubectl("apply", manifest=manifest)
        try:
            yield
        finally:
            # With the definitions, which a release of Helm would otherwise not take over.
            kubectl("delete", "--ignore-not-found", manifest=manifest)


def make_issuers(
    issuers: Mapping[str, str] = MappingProxyType(ISSUERS),
    solver: Mapping[str, Any] = MappingProxyType(CLASS),
    namespaces: Sequence[str | None] = (None,),
) -> None:
    """Make issuers like those of a manifest that was copied from somewhere.

    Args:
        issuers: The environment of each, by name.
        solver: Which Ingresses serve their challenges, or on which Gateways HTTPRoutes do.
        namespaces: An Issuer is made in each, and a ClusterIssuer for None.
    """
    acme = CONFIG[f"{PREFIX}acme"]

    def issuer(name: str, environment: str, namespace: str | None) -> dict[str, Any]:
        spec = {
            "server": acme["servers"][environment],
            "email": "by-hand@sandbox.test",
            "profile": acme["profile"],
            "caBundle": base64.b64encode(acme["caBundle"].encode()).decode(),
            "privateKeySecretRef": {"name": name},
            "solvers": [{"http01": {"gatewayHTTPRoute" if "parentRefs" in solver else "ingress": dict(solver)}}],
        }
        kind = "Issuer" if namespace else "ClusterIssuer"
        return resource("cert-manager.io/v1", kind, name, namespace, spec={"acme": spec})

    def applied() -> bool:
        # The API server trusts the webhook some time after its Pod is ready; by hand, one tries again.
        try:
            kubectl("apply", manifest=[issuer(*pair, where) for pair in issuers.items() for where in namespaces])
        except AssertionError:
            return False
        return True

    eventually("the webhook admits the issuers", applied, TIMEOUT)


def request_certificate(hosts: Sequence[str], environment: str = "staging") -> None:
    """Make the Certificate of the gateway."""
    spec = {
        "secretName": SECRET,
        "issuerRef": {"name": f"letsencrypt-{environment}-istio", "kind": "ClusterIssuer"},
        "commonName": hosts[0],
        "dnsNames": list(hosts),
    }
    kubectl("apply", manifest=resource("cert-manager.io/v1", "Certificate", SECRET, ISTIO, spec=spec))


def open_gateway(hosts: Sequence[str], *, route: str = ROUTE, broad: bool = False, credential: str = SECRET) -> None:
    """Make one Gateway with both ports and a VirtualService on it: the application answers on port 80 as well.

    Args:
        hosts: The hosts.
        route: The VirtualService's name.
        broad: Whether the Gateway is for all hosts, as in most examples.
        credential: The Secret that it presents.
    """
    listed = ["*"] if broad else list(hosts)
    servers = [
        {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": listed},
        {
            "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
            "hosts": listed,
            "tls": {"mode": "SIMPLE", "credentialName": credential},
        },
    ]
    gateway = {"selector": {"istio": "ingressgateway"}, "servers": servers}
    destination = {"host": "shop.shop.svc.cluster.local", "port": {"number": 80}}
    service = {
        "hosts": list(hosts),
        "gateways": [GATEWAY],
        "http": [{"match": [{"uri": {"prefix": "/"}}], "route": [{"destination": destination}]}],
    }
    version = "networking.istio.io/v1beta1"
    kubectl("apply", manifest=[
        resource(version, "Gateway", GATEWAY, ISTIO, spec=gateway),
        resource(version, "VirtualService", route, ISTIO, spec=service),
    ])  # fmt: skip


def open_api_gateway(hosts: Sequence[str], *, route: str = ROUTE, broad: bool = False) -> None:
    """Make the same in the Gateway API, with a redirect on port 80.

    Args:
        hosts: The hosts.
        route: The HTTPRoute's name.
        broad: Whether the Gateway is for all hosts, and for routes of every namespace.
    """
    tls = {"mode": "Terminate", "certificateRefs": [{"name": SECRET}]}
    accepted = {"allowedRoutes": {"namespaces": {"from": "All" if broad else "Same"}}}
    listeners: list[dict[str, Any]] = []
    for number, host in enumerate([""] if broad else hosts):
        common = {**accepted, **({"hostname": host} if host else {})}
        listeners += [
            {"name": f"http-{number}", "port": 80, "protocol": "HTTP", **common},
            {"name": f"https-{number}", "port": 443, "protocol": "HTTPS", "tls": tls, **common},
        ]
    address = {"type": "Hostname", "value": f"istio-ingressgateway.{ISTIO}.svc.cluster.local"}
    gateway = {"gatewayClassName": "istio", "addresses": [address], "listeners": listeners}
    to_https = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}

    def spec(kind: str, rule: Mapping[str, Any]) -> dict[str, Any]:
        count = len(listeners) // 2
        parents = [{"name": GATEWAY, "namespace": ISTIO, "sectionName": f"{kind}-{number}"} for number in range(count)]
        return {"parentRefs": parents, "hostnames": list(hosts), "rules": [dict(rule)]}

    version, beta = "gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"
    where = "shop" if broad else ISTIO
    backend = {"name": "shop", "port": 80, **({} if broad else {"namespace": "shop"})}
    grant = {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": ISTIO}],
             "to": [{"group": "", "kind": "Service"}]}  # fmt: skip
    kubectl("apply", manifest=[
        *([] if broad else [resource(beta, "ReferenceGrant", route, "shop", spec=grant)]),
        resource(version, "Gateway", GATEWAY, ISTIO, spec=gateway),
        resource(version, "HTTPRoute", "redirect", ISTIO, spec=spec("http", {"filters": [to_https]})),
        resource(version, "HTTPRoute", route, where, spec=spec("https", {"backendRefs": [backend]})),
    ])  # fmt: skip


def point_names(hosts: Sequence[str], address: str = "", ttl: int = 60) -> None:
    """Make a record set for each name, with the gateway's address by default."""
    for host in hosts:
        cloud_dns("POST", body={"name": f"{host}.", "type": "A", "ttl": ttl, "rrdatas": [address or ingress_address()]})


def run(command: str) -> str:
    """Run a printed command as an operator does, without its questions; return what it prints for machines."""
    words = shlex.split(command)
    if "pulumi" in words:
        command += " --non-interactive --color=never" + (" --yes --skip-preview" if "up" in words else "")
    done = subprocess.run(
        ["sh", "-c", command], cwd=PROJECT, env={**os.environ, "CURL_CA_BUNDLE": str(PROD.root_file)},
        capture_output=True, text=True, timeout=OF_PULUMI, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def assert_nothing_is_lost(preview: str) -> None:
    """Assert that a printed preview plans no replacement and no deletion."""
    steps = json.loads(run(preview.replace("--diff", "--json")))["steps"]
    assert {step["op"] for step in steps} <= {"same", "read", "create", "update"}
