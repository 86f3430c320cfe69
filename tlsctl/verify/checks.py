"""The list of checks, from which docs/checks.md is made (`python -m tlsctl.reference`)."""

from collections.abc import Mapping
from dataclasses import dataclass

from config.command import TLSCTL

UP = "pulumi up --refresh"
"""Restores the objects that the program makes."""

_SERVICE = "kubectl --namespace {namespace} describe service {service}"
_ENDPOINTS = "kubectl --namespace {namespace} get {gateways},endpointslices"
_PODS = "kubectl --namespace {cert_manager} get pods"
_RENEW = "cmctl renew --namespace {namespace} {certificate}"
_ROUTES = "kubectl get {routes},ingresses --all-namespaces | grep {domain}"
_OTHER = "kubectl --namespace {other_namespace} get {other_kind} {other_name} --output yaml"
_SERVERS = (
    "gcloud dns managed-zones describe {zone} --format 'value(nameServers)'"
    "    # if others were asked: the NS records of the domain have to name these"
)
_NO_CONNECTION = "a firewall is in between, or no gateway Pod is ready"
_CERTIFICATE = ("handshake", "secret", "certificate")


@dataclass(frozen=True)
class Check:
    """One kind of check."""

    ok: str
    """What holds when the check is ok."""
    otherwise: str
    """The usual reason why it fails."""
    fix: tuple[str, ...]
    """The usual fix: commands in order, with the fields of `Environment.fix` in braces."""
    because: tuple[str, ...] = ()
    """The checks whose failure explains a failure of this one."""


CHECKS: Mapping[str, Check] = {
    "cluster": Check(
        "the cluster's API server answers",
        "it is out of reach or refuses these credentials; checks that need the cluster are then skipped",
        ("kubectl cluster-info",),
    ),
    "service": Check(
        "the gateway's Service has ports 80 and 443 and the stack's address",
        "its ports were edited, or it is another Service",
        (_SERVICE, UP),
    ),
    "port-80": Check(
        "the address accepts connections on port 80",
        _NO_CONNECTION,
        (_SERVICE, _ENDPOINTS),
        ("service", "gateway"),
    ),
    "port-443": Check(
        "the address accepts connections on port 443",
        _NO_CONNECTION,
        (_SERVICE, _ENDPOINTS),
        ("service", "gateway", "secret"),
    ),
    "issuer": Check(
        "the issuer is Ready and has an account at the ACME server of the config",
        "the ACME server is out of reach, refuses, or has lost the account",
        ("kubectl --namespace {namespace} describe {issuer_kind} {issuer}", UP),
    ),
    "certificate": Check(
        "the Certificate is Ready, requests its hosts, and is renewed in time",
        "the ACME server refuses and gives a reason, or somebody edited the Certificate",
        ("kubectl --namespace {namespace} describe certificaterequests,orders,challenges", _RENEW),
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
        "the record was edited, or the domain's NS records lead to other servers than those of the managed zone",
        (_SERVERS, UP),
    ),
    "resolver": Check(
        "a resolver gives the same answer",
        "it has an old answer in its cache until the TTL ends",
        (f"{TLSCTL} verify --watch",),
        ("record",),
    ),
    "caa": Check(
        "CAA records allow the issuer's account to get the next certificate",
        "they name another CA, account or challenge, or the account was registered again after its key was lost",
        (UP,),
    ),
    "gateway": Check(
        "Gateways and routes name the host and its Secret; with `api: gateway`, Istio has them in force and they may"
        " lead to the applications' Services",
        "they were edited or deleted, a ReferenceGrant or a Service was deleted, or the owner of the host has no route",
        (UP,),
        ("service",),
    ),
    "neighbour": Check(
        "no Gateway, route or Ingress of anybody else, for the gateway's Pods, has the host or the Secret",
        "another team, another stack or an earlier setup serves the name as well",
        (_OTHER,),
    ),
    "handshake": Check(
        "the gateway completes a TLS handshake for the name, with the certificate of its Secret",
        "another Gateway serves the name, or the Secret has not reached the gateway",
        ("kubectl --namespace {namespace} get {gateways},{routes}", UP),
        ("port-443", "gateway", "neighbour", "secret"),
    ),
    "chain": Check(
        "the certificate chains to the trusted roots",
        "another issuer signed it, or the Secret is another one",
        (_PODS, _RENEW),
        _CERTIFICATE,
    ),
    "name": Check(
        "the certificate covers the name",
        "the Gateway presents another Secret",
        (UP,),
        _CERTIFICATE,
    ),
    "expiry": Check(
        "the certificate is valid and was renewed on time",
        "cert-manager is down or cannot renew",
        (_PODS, _RENEW),
        _CERTIFICATE,
    ),
    "key": Check(
        "the key is allowed by Mozilla's intermediate profile",
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
        "another route on port 80 matches the host",
        (_ROUTES, UP),
        ("port-80", "gateway", "neighbour"),
    ),
    "challenge": Check(
        "the gateway answers the HTTP-01 path on port 80",
        "another route, or a proxy in front of the gateway, answers it",
        (_ROUTES, UP),
        ("port-80", "gateway", "neighbour"),
    ),
    "mtls": Check(
        "the applications' namespaces have the PeerAuthentication of `mtls`, and no older one",
        "it was edited or deleted, or the namespace had one before: Istio reads only the oldest of a namespace",
        ("kubectl get peerauthentications --all-namespaces", UP),
    ),
    "route": Check(
        "a request over HTTPS reaches the application, or is redirected as `redirectTo` says; skipped in maintenance,"
        " and where a host's owner has no route for `/`",
        "its Service, the Service's port or a ready Pod is missing",
        ("kubectl --namespace {application} get services,endpointslices,pods", UP),
        ("handshake", "gateway", "neighbour"),
    ),
    "coalescing": Check(
        "over the HTTP/2 connection of another host that a browser reuses because its certificate covers this host,"
        " the request is answered as over a connection of its own, or with 421",
        "its routes are on another server, listener or Gateway than the host that the connection was made for",
        ("kubectl get {gateways},{routes} --all-namespaces | grep {domain}", UP),
        ("handshake", "gateway", "route"),
    ),
    "hsts": Check(
        "Strict-Transport-Security is sent as `tls.hsts` says",
        "the route was edited, or the application sends a header of its own",
        (UP,),
        ("route",),
    ),
}
"""Every check by its name, in the order in which they are shown."""
