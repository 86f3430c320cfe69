"""The checks: what each looks at, why it fails most likely, the fix, and which failure explains which.

Every check is made, whatever became of the others. A failure is then traced along `because` to the failures that
explain it. A failure that no other explains is a problem: one cause is one problem, however much follows from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from components.rules.problem import Problem

State = Literal["ok", "failed", "skipped"]

INGRESS = "ingress"
"""The subject of what all hosts share."""

_NAMED = 3
"""Subjects that a line names; there may be a thousand."""

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
        "the ACME server is out of reach, or refuses",
        ("kubectl describe clusterissuer {issuer}", UP),
    ),
    "certificate": Check(
        "the Certificate is Ready, asks for its hosts, and is renewed in time",
        "the ACME server refuses, and says why; or somebody edited it",
        (
            "kubectl --namespace {namespace} describe certificaterequests,orders,challenges",
            _RENEW,
        ),
        ("issuer", "record", "resolver", "port-80", "gateway", "challenge"),
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
        ("python -m tlsctl verify --watch",),
        ("record",),
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
    "route": Check(
        "a request over HTTPS reaches the application",
        "its Service, the Service's port or a ready Pod is missing",
        ("kubectl --namespace {application} get services,endpointslices,pods", UP),
        ("handshake", "gateway"),
    ),
    "hsts": Check(
        "Strict-Transport-Security is sent as `tls.hsts` says",
        "the VirtualService was edited, or the application sends its own",
        (UP,),
        ("route",),
    ),
}
"""By name, in the order that they are shown in."""


@dataclass(frozen=True)
class Result:
    """What one check saw of one subject."""

    check: str
    """A key of `CHECKS`."""
    subject: str
    """A host, a Certificate, or `INGRESS`."""
    state: State
    """Skipped is what does not apply, or cannot be read from here; it is no failure."""
    detail: str
    """What was seen."""
    fix: tuple[str, ...] = ()
    """Commands, in order; a failure that others explain needs none."""


@dataclass(frozen=True, kw_only=True)
class CheckProblem(Problem):
    """A failed check that no other failure explains."""

    check: str
    subjects: tuple[str, ...]
    """More than one where the same was seen of several."""


@dataclass(frozen=True)
class Report:
    """All results, and what follows from them."""

    results: Sequence[Result]
    certificates: Mapping[str, Sequence[str]]
    """The hosts of each Certificate: what ties the two kinds of subject together."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not any(self._failed.values())

    @cached_property
    def problems(self) -> Sequence[CheckProblem]:
        """Every failure that no other explains; the same of several subjects is one problem."""
        return [
            CheckProblem(f"{check} ({some(subjects)})", detail, fix, check=check, subjects=tuple(subjects))
            for (check, detail, fix), subjects in self._unexplained.items()
        ]

    def because(self, result: Result) -> list[CheckProblem]:
        """Return the problems that explain a failure; none if it is one itself."""
        return [self.problems[place] for place in self._places(result)]

    def _places(self, result: Result) -> Sequence[int]:
        """Return which of the problems explain a failure."""
        if result not in self._found:
            places = (place for cause in self._direct(result) for place in self._places(cause) or [self._place[cause]])
            self._found[result] = list(dict.fromkeys(places))
        return self._found[result]

    @cached_property
    def _found(self) -> dict[Result, Sequence[int]]:
        return {}

    @cached_property
    def _unexplained(self) -> Mapping[tuple[str, str, tuple[str, ...]], Sequence[str]]:
        """The subjects of each problem, by what it says."""
        same: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
        for result in self.results:
            if result.state == "failed" and not self._direct(result):
                same.setdefault((result.check, result.detail, result.fix), []).append(result.subject)
        return same

    @cached_property
    def _place(self) -> Mapping[Result, int]:
        """The place among the problems of each failure that is one."""
        return {
            Result(check, subject, "failed", detail, fix): place
            for place, ((check, detail, fix), subjects) in enumerate(self._unexplained.items())
            for subject in subjects
        }

    @cached_property
    def _failed(self) -> Mapping[str, Mapping[str, Sequence[Result]]]:
        """The failures of each check, by subject: thousands of hosts are not searched for each of them."""
        failed: dict[str, dict[str, list[Result]]] = {check: {} for check in CHECKS}
        for result in self.results:
            if result.state == "failed":
                failed[result.check].setdefault(result.subject, []).append(result)
        return failed

    @cached_property
    def _certificates_of(self) -> Mapping[str, Sequence[str]]:
        """The Certificates of each host."""
        found: dict[str, list[str]] = {}
        for name, hosts in self.certificates.items():
            for host in hosts:
                found.setdefault(host, []).append(name)
        return found

    def _direct(self, result: Result) -> list[Result]:
        if result.state != "failed":
            return []
        subject = result.subject
        related = (subject, INGRESS, *self.certificates.get(subject, ()), *self._certificates_of.get(subject, ()))
        return [
            cause
            for check in CHECKS[result.check].because
            for each in dict.fromkeys(self._failed[check] if subject == INGRESS else related)
            for cause in self._failed[check].get(each, ())
        ]


def some(subjects: Sequence[str]) -> str:
    """Name subjects in a line: the first ones, and how many more there are."""
    more = len(subjects) - _NAMED
    return ", ".join(subjects[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def ordered(results: Sequence[Result], subjects: Sequence[str]) -> list[Result]:
    """Return the results by subject and then in the checks' order."""
    checks = {check: index for index, check in enumerate(CHECKS)}
    places = {subject: index for index, subject in enumerate(subjects)}
    return sorted(results, key=lambda result: (places[result.subject], checks[result.check]))
