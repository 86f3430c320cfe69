"""The checks: what each looks at, why it fails most likely, the fix, and which failure explains which."""

from collections.abc import Mapping
from dataclasses import dataclass

UP = "pulumi up --refresh"
"""Puts back what the program makes."""

_PODS = "kubectl --namespace {cert_manager} get pods"
_RENEW = "cmctl renew --namespace {namespace} {certificate}"
_ROUTES = "kubectl get virtualservices,ingresses --all-namespaces | grep {domain}"


@dataclass(frozen=True)
class Check:
    """One kind of check."""

    ok: str
    """What holds when it is ok."""
    otherwise: str
    """Why it fails, most likely."""
    fix: tuple[str, ...]
    """The most likely fix: commands, in order, with the fields of `Environment.fix` in braces."""
    because: tuple[str, ...] = ()
    """The checks whose failure explains this one's."""


_CERTIFICATE = ("handshake", "secret", "certificate")

CHECKS: Mapping[str, Check] = {
    "cluster": Check(
        "the cluster's API server answers",
        "it is out of reach, or refuses these credentials; then what only it can tell is skipped",
        ("kubectl cluster-info",),
    ),
    "service": Check(
        "the gateway's Service has ports 80 and 443 and the stack's address",
        "its ports were edited, or it is another Service",
        ("kubectl --namespace {namespace} describe service {service}", UP),
    ),
    "port-80": Check(
        "the address takes connections on port 80",
        "a firewall is in between, or no gateway Pod is ready",
        (
            "kubectl --namespace {namespace} describe service {service}",
            "kubectl --namespace {namespace} get gateways,endpointslices",
        ),
        ("service", "gateway"),
    ),
    "port-443": Check(
        "the address takes connections on port 443",
        "a firewall is in between, or no gateway Pod is ready",
        (
            "kubectl --namespace {namespace} describe service {service}",
            "kubectl --namespace {namespace} get gateways,endpointslices",
        ),
        ("service", "gateway", "secret"),
    ),
    "issuer": Check(
        "the ClusterIssuer is Ready and has an account at the ACME server of the config",
        "the ACME server is out of reach, refuses, or does not know the account any more",
        ("kubectl --namespace {namespace} describe {issuer_kind} {issuer}", UP),
    ),
    "certificate": Check(
        "the Certificate is Ready, asks for its hosts, and is renewed in time",
        "the ACME server refuses, and says why; or somebody edited it",
        (
            "kubectl --namespace {namespace} describe certificaterequests,orders,challenges",
            _RENEW,
        ),
        ("issuer", "record", "resolver", "caa", "port-80", "gateway", "challenge"),
    ),
    "secret": Check(
        "the Secret holds a certificate and its key",
        "it was deleted or edited while cert-manager was down",
        (_PODS, _RENEW),
        ("certificate",),
    ),
    "record": Check(
        "the zone's name servers answer with the stack's address",
        "the record was edited, or nothing delegates the zone",
        (UP,),
    ),
    "resolver": Check(
        "a resolver answers the same",
        "it has an old answer in its cache, until the TTL ends",
        ("uv run python -m tlsctl verify --watch",),
        ("record",),
    ),
    "caa": Check(
        "CAA records let the issuer's account have the next certificate",
        "another CA, account or challenge is named, or the account is a new one since its key was lost",
        (UP,),
    ),
    "gateway": Check(
        "Gateways and VirtualServices name the host and its Secret",
        "they were edited or deleted",
        (UP,),
    ),
    "handshake": Check(
        "the gateway completes a TLS handshake for the name",
        "another Gateway takes the name, or the Secret has not reached the gateway",
        ("kubectl --namespace {namespace} get gateways,virtualservices", UP),
        ("port-443", "gateway", "secret"),
    ),
    "chain": Check(
        "the certificate chains to the trusted roots",
        "another issuer signed it, or the Secret is another one",
        (_PODS, _RENEW),
        _CERTIFICATE,
    ),
    "name": Check(
        "the certificate is for the name",
        "the Gateway's server presents another Secret",
        (UP,),
        _CERTIFICATE,
    ),
    "expiry": Check(
        "the certificate is valid, and was renewed when it was due",
        "cert-manager is down, or cannot renew",
        (_PODS, _RENEW),
        _CERTIFICATE,
    ),
    "key": Check(
        "the key is one of Mozilla's intermediate profile",
        "somebody put another certificate into the Secret",
        (UP, _RENEW),
        _CERTIFICATE,
    ),
    "protocols": Check(
        "no TLS version below `tls.minVersion` is offered",
        "the Gateway was edited",
        (UP,),
        ("handshake",),
    ),
    "ciphers": Check(
        "no cipher suite beyond Mozilla's intermediate profile is offered",
        "the Gateway was edited",
        (UP,),
        ("handshake", "protocols"),
    ),
    "redirect": Check(
        "plain HTTP is answered with a permanent redirect to HTTPS",
        "another route on port 80 takes the host",
        (_ROUTES, UP),
        ("port-80", "gateway"),
    ),
    "challenge": Check(
        "the gateway answers the HTTP-01 path on port 80",
        "another route, or a proxy in front of the gateway, takes it",
        (_ROUTES, UP),
        ("port-80", "gateway"),
    ),
    "mtls": Check(
        "the applications' namespaces have the PeerAuthentication of `mtls`, and no older one",
        "it was edited or deleted, or another one was there before: Istio reads the oldest of a namespace",
        ("kubectl get peerauthentications --all-namespaces", UP),
    ),
    "route": Check(
        "a request over HTTPS reaches the application, or is redirected as `redirectTo` says; skipped in maintenance",
        "its Service, the Service's port or a ready Pod is missing",
        ("kubectl --namespace {application} get services,endpointslices,pods", UP),
        ("handshake", "gateway"),
    ),
    "coalescing": Check(
        "over the connection of another host of the same certificate, as a browser asks with HTTP/2, it is answered as"
        " over its own, or with 421",
        "its routes are on another server or Gateway than the name that the connection was made for",
        ("kubectl get gateways,virtualservices --all-namespaces | grep {domain}", UP),
        ("handshake", "gateway", "route"),
    ),
    "hsts": Check(
        "Strict-Transport-Security is sent as `tls.hsts` says",
        "the VirtualService was edited, or the application sends its own",
        (UP,),
        ("route",),
    ),
}
"""By name, in the order that they are shown in."""
