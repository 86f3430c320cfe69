"""TLS on the gateway as a team sets it up by hand: kubectl and helm, and a record by Cloud DNS's own API."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import yaml

from sandbox import paths
from sandbox.testing import cloud_dns, eventually, get, kubectl, live
from tests.sandbox.stack import PREFIX, PROJECT

ISTIO = "istio-system"
CERTIFICATE = "istio-ingressgateway-certs"
GATEWAY = "istio-tls-gateway"
ROUTE = "shop-route"
CONFIG: dict[str, Any] = yaml.safe_load((PROJECT / "Pulumi.sandbox.yaml").read_text())["config"]
ISSUERS = {f"letsencrypt-{each}-istio": each for each in ("staging", "prod")}
"""The environment of each, by name."""
CLASS = {"class": "istio"}
LEASES = ("cert-manager-controller", "cert-manager-cainjector-leader-election")
TIMEOUT = 120


def _helm(*arguments: str) -> str:
    values = {"crds": {"enabled": True}, **CONFIG[f"{PREFIX}certManager"]["values"]}
    done = subprocess.run(
        ["helm", *arguments, "--namespace", "cert-manager", "--values", "-"],
        input=json.dumps(values), capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"helm {' '.join(arguments)} failed: {done.stderr}"
    return done.stdout


def install_cert_manager(*, by: str) -> None:
    """Install cert-manager, by its manifest or by Helm."""
    chart = str(paths.CHARTS / "cert-manager")
    if by == "helm":
        _helm("install", "cert-manager", chart, "--create-namespace")
        return
    kubectl("create", "namespace", "cert-manager")
    kubectl("apply", manifest=_list(_manifest(chart)))


def remove_cert_manager(*, by: str) -> None:
    """Take it off again, definitions and all."""
    if by == "helm":
        subprocess.run(
            ["helm", "uninstall", "cert-manager", "--namespace", "cert-manager", "--ignore-not-found", "--wait"],
            check=True, capture_output=True, timeout=TIMEOUT,
        )  # fmt: skip
    else:
        kubectl("delete", "--ignore-not-found", manifest=_list(_manifest(str(paths.CHARTS / "cert-manager"))))
    kubectl("delete", "namespace", "cert-manager", "--ignore-not-found")
    # Where the chart elects its leaders by default. cert-manager makes them itself, so that neither way removes them.
    kubectl("delete", "lease", *LEASES, "--namespace", "kube-system", "--ignore-not-found")


def _manifest(chart: str) -> list[dict[str, Any]]:
    rendered = _helm("template", "cert-manager", chart, "--no-hooks")
    return [each for each in yaml.load_all(rendered, yaml.CSafeLoader) if each]


def make_issuers(
    issuers: Mapping[str, str] = MappingProxyType(ISSUERS),
    solver: Mapping[str, str] = MappingProxyType(CLASS),
    namespaces: Sequence[str | None] = (None,),
) -> None:
    """Make issuers, as a manifest that was copied from somewhere has them.

    Args:
        issuers: The environment of each, by name.
        solver: Who serves their challenges.
        namespaces: Where to make them: an Issuer in each, and ClusterIssuers for None.
    """
    acme = CONFIG[f"{PREFIX}acme"]

    def issuer(name: str, environment: str, namespace: str | None) -> dict[str, Any]:
        spec = {
            "server": acme["servers"][environment],
            "email": "by-hand@sandbox.test",
            "profile": acme["profile"],
            "caBundle": base64.b64encode(acme["caBundle"].encode()).decode(),
            "privateKeySecretRef": {"name": name},
            "solvers": [{"http01": {"ingress": dict(solver)}}],
        }
        return _object(
            "cert-manager.io/v1", "Issuer" if namespace else "ClusterIssuer", name, namespace, {"acme": spec}
        )

    def applied() -> bool:
        # The webhook is trusted some time after its Pod is ready, and by hand one tries again.
        try:
            made = [issuer(*each, namespace) for each in issuers.items() for namespace in namespaces]
            kubectl("apply", manifest=_list(made))
        except AssertionError:
            return False
        return True

    eventually("the webhook lets the issuers in", applied, TIMEOUT)


def request_certificate(hosts: Sequence[str], environment: str = "staging") -> None:
    """Make the Certificate of the gateway."""
    spec = {
        "secretName": CERTIFICATE,
        "issuerRef": {"name": f"letsencrypt-{environment}-istio", "kind": "ClusterIssuer"},
        "commonName": hosts[0],
        "dnsNames": list(hosts),
    }
    kubectl("apply", manifest=_object("cert-manager.io/v1", "Certificate", CERTIFICATE, ISTIO, spec))


def open_gateway(
    hosts: Sequence[str], *, route: str = ROUTE, broad: bool = False, credential: str = CERTIFICATE
) -> None:
    """Make one Gateway with both ports, and a VirtualService on it: the application answers on port 80 as well.

    Args:
        hosts: What is served.
        route: The VirtualService's name.
        broad: Whether the Gateway is for all hosts, as in most examples.
        credential: The Secret that it presents.
    """
    named = ["*"] if broad else list(hosts)
    servers = [
        {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": named},
        {
            "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
            "hosts": named,
            "tls": {"mode": "SIMPLE", "credentialName": credential},
        },
    ]
    gateway = {"selector": {"istio": "ingressgateway"}, "servers": servers}
    destination = {"host": "shop.shop.svc.cluster.local", "port": {"number": 80}}
    spec = {
        "hosts": list(hosts),
        "gateways": [GATEWAY],
        "http": [{"match": [{"uri": {"prefix": "/"}}], "route": [{"destination": destination}]}],
    }
    kubectl("apply", manifest=_object("networking.istio.io/v1beta1", "Gateway", GATEWAY, ISTIO, gateway))
    kubectl("apply", manifest=_object("networking.istio.io/v1beta1", "VirtualService", route, ISTIO, spec))


def gateway_address() -> str:
    """Return the gateway's address."""
    service = live("service", "istio-ingressgateway", ISTIO)
    return str(service["status"]["loadBalancer"]["ingress"][0]["ip"])


def point_names(hosts: Sequence[str], address: str = "", ttl: int = 60) -> None:
    """Write an address, the gateway's by default, into a record set for each name."""
    address = address or gateway_address()
    for host in hosts:
        cloud_dns("POST", body={"name": f"{host}.", "type": "A", "ttl": ttl, "rrdatas": [address]})


def ready(certificate: str = CERTIFICATE, namespace: str = ISTIO) -> bool:
    """Look whether a Certificate is issued."""
    found = get("certificate", certificate, namespace) or {}
    conditions = found.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _object(api_version: str, kind: str, name: str, namespace: str | None, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def _list(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": items}
