"""What the gateway serves: Istio's Gateways and VirtualServices as specs, and their names.

Two traps shape them, and both break the first issuance or leak plain HTTP:

- `httpsRedirect: true` answers the HTTP-01 solver's path with a redirect as well (istio#27643). The redirect is a route
  without a match instead: a catch-all, which Istio sorts after the solver's exact path.
- A single Gateway with both ports would serve the application on port 80. There are two, and routes to applications
  name only the one of port 443.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from . import names, tls

REDIRECT_CODE = 301

NAMESPACE = "istio-system"
"""Of the gateway that Istio's own charts install, and of its Pods, whose Secrets istiod hands to it."""

SERVICE = "istio-ingressgateway"
"""Its Service."""

CREDENTIAL = "istio-ingressgateway-certs"
"""The Secret that holds its certificate, by the name that Istio's documents have always used."""

SELECTOR = {"istio": "ingressgateway"}
"""The label that Istio's own gateway chart puts on the Pods of an ingress gateway of the usual name."""


def http_gateway_name(stack: str, gateway: str = "") -> str:
    """Return the name of a stack's Gateway of port 80, and of the VirtualService that redirects.

    Args:
        stack: its name.
        gateway: the name of one of the stack's other gateways.
    """
    return "-".join(part for part in ("http", names.stack_suffix(stack), gateway) if part)


def tls_gateway_name(stack: str, gateway: str = "") -> str:
    """Return the name of a stack's Gateway of port 443, as `http_gateway_name` does."""
    return "-".join(part for part in ("tls", names.stack_suffix(stack), gateway) if part)


def http_gateway_spec(selector: Any, hosts: Sequence[Any]) -> dict[str, Any]:
    """Return the Gateway of port 80; its hosts are listed, so that two stacks can share a gateway."""
    port = {"number": 80, "name": "http", "protocol": "HTTP"}
    return {"selector": selector, "servers": [{"port": port, "hosts": list(hosts)}]}


def redirect_spec(gateway: Any, hosts: Sequence[Any]) -> dict[str, Any]:
    """Return the VirtualService that redirects to HTTPS: no match, on the Gateway of port 80 alone."""
    return {
        "hosts": list(hosts),
        "gateways": [gateway],
        "http": [{"redirect": {"scheme": "https", "redirectCode": REDIRECT_CODE}}],
    }


def tls_gateway_spec(
    selector: Any, credentials: Sequence[tuple[Any, Sequence[Any]]], min_version: str, cipher_suites: Sequence[str]
) -> dict[str, Any]:
    """Return the Gateway of port 443: one server per certificate, since a server presents one.

    Args:
        selector: labels of the gateway's Pods.
        credentials: each certificate's Secret and the hosts that it is presented for.
        min_version: one of `tls.VERSIONS`.
        cipher_suites: those of TLS 1.2.
    """
    # Istio hardens nothing that is not written here, and TLS 1.3 takes no list of ciphers.
    hardened: dict[str, Any] = {"mode": "SIMPLE", "minProtocolVersion": tls.istio_version(min_version)}
    if min_version == "1.2":
        hardened["cipherSuites"] = list(cipher_suites)
    return {
        "selector": selector,
        "servers": [
            {
                # Port names are unique in a Gateway.
                "port": {
                    "number": 443,
                    "name": f"https-{number}" if number > 1 else "https",
                    "protocol": "HTTPS",
                },
                "hosts": list(hosts),
                "tls": {**hardened, "credentialName": secret},
            }
            for number, (secret, hosts) in enumerate(credentials, start=1)
        ],
    }


def virtual_service_spec(gateway: Any, host: Any, routes: Sequence[Mapping[str, Any]], hsts: int = 0) -> dict[str, Any]:
    """Return a host's VirtualService: its routes, on the Gateway of port 443 alone.

    Istio takes the first route that matches, and `/` matches everything, so the longest prefix comes first.

    Args:
        gateway: `NAMESPACE/NAME`.
        host: a DNS name.
        routes: each a path prefix, and the Service, namespace and port that it leads to.
        hsts: seconds of Strict-Transport-Security; 0 sends none.
    """
    headers = {"response": {"set": {"strict-transport-security": f"max-age={hsts}"}}}
    return {
        "hosts": [host],
        "gateways": [gateway],
        "http": [
            {
                "match": [{"uri": {"prefix": route["path"]}}],
                "route": [
                    {
                        "destination": {
                            "host": f"{route['service']}.{route['namespace']}.svc.cluster.local",
                            "port": {"number": route["port"]},
                        }
                    }
                ],
                **({"headers": headers} if hsts else {}),
            }
            for route in sorted(routes, key=lambda route: (-len(route["path"]), route["path"]))
        ],
    }
