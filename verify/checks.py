"""What is looked at, and which failure explains which.

Every check is made, whatever became of the others; a failure is then traced along `BECAUSE` to the failures that
explain it. What is left unexplained is a finding, so that one cause is one finding, however much follows from it.

| finding | what holds when it is green | otherwise, most likely |
| --- | --- | --- |
| `service` | the gateway's Service has both ports and the stack's address | its ports were edited, or it is a new one |
| `port-80` | the address takes connections on port 80 | a firewall, or no gateway Pod is ready |
| `port-443` | the address takes connections on port 443 | a firewall, or no gateway Pod is ready |
| `issuer` | the ClusterIssuer is Ready, with an account at its ACME server | the server is unreachable or refuses |
| `certificate` | the Certificate is Ready and renewed in time | the ACME server's words say why; or it was edited |
| `secret` | the Secret holds a certificate and its key | it was deleted or edited while cert-manager was down |
| `record` | the zone's name servers answer the stack's address | the record was edited, or nothing delegates the zone |
| `resolver` | a resolver answers the same | an old answer is cached; it ends with its TTL |
| `gateway` | Gateways and VirtualServices name the host and its Secret | they were edited or deleted |
| `handshake` | the gateway completes a TLS handshake for the name | another Gateway takes the name, or no Secret came |
| `chain` | the certificate chains to the trusted roots | another issuer signed it, or the Secret is another one |
| `name` | the certificate is for the name | the Gateway's server presents another Secret |
| `expiry` | the certificate is valid, and renewed when it should be | cert-manager is not running, or cannot renew |
| `key` | the key is one of Mozilla's intermediate profile | `certificate.algorithm` or `certificate.size` |
| `protocols` | no TLS version below `tls.minVersion` is offered | the Gateway was edited |
| `ciphers` | no cipher suite beyond that profile is offered | the Gateway was edited |
| `redirect` | plain HTTP is answered with a permanent redirect to HTTPS | another route on port 80 takes the host |
| `challenge` | the gateway answers the HTTP-01 path on port 80 | another route, or a proxy in front, takes it |
| `route` | a request over HTTPS reaches the application | the Service, its port or its Pods |
| `hsts` | Strict-Transport-Security is sent as `tls.hsts` says | the VirtualService or the application sets another |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "failed", "skipped"]

INGRESS = "ingress"
"""The subject of what all hosts share."""

BECAUSE: Mapping[str, tuple[str, ...]] = {
    "cluster": (),
    "service": (),
    "port-80": ("service", "gateway"),
    "port-443": ("service", "gateway", "secret"),
    "issuer": (),
    "certificate": ("issuer", "record", "resolver", "port-80", "gateway", "challenge"),
    "secret": ("certificate",),
    "record": (),
    "resolver": ("record",),
    "gateway": (),
    "handshake": ("port-443", "gateway", "secret"),
    "chain": ("handshake", "secret", "certificate"),
    "name": ("handshake", "secret", "certificate"),
    "expiry": ("handshake", "secret", "certificate"),
    "key": ("handshake", "secret", "certificate"),
    "protocols": ("handshake",),
    "ciphers": ("handshake", "protocols"),
    "redirect": ("port-80", "gateway"),
    "challenge": ("port-80", "gateway"),
    "route": ("handshake", "gateway"),
    "hsts": ("route",),
}
"""The checks, in the order that they are shown in, each with those whose failure explains its own."""


@dataclass(frozen=True)
class Result:
    """What one check saw."""

    check: str
    """A key of `BECAUSE`."""
    subject: str
    """A host, a Certificate, or `INGRESS`."""
    state: State
    """Skipped is what does not apply, or cannot be read from here; it is no failure."""
    detail: str
    """What was seen."""
    mend: tuple[str, ...] = ()
    """Commands, in order; a failure that has causes needs none."""


@dataclass(frozen=True)
class Finding:
    """A failure that no other one explains."""

    check: str
    subjects: tuple[str, ...]
    """More than one where the same was seen on several hosts."""
    detail: str
    mend: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """All results, and what follows from them."""

    results: Sequence[Result]
    certificates: Mapping[str, Sequence[str]]
    """The hosts of each Certificate: what ties the two kinds of subject together."""

    @property
    def ok(self) -> bool:
        """Whether all holds."""
        return not any(result.state == "failed" for result in self.results)

    def causes(self, result: Result) -> list[Result]:
        """Return the failures that explain this one at last; none if nothing does."""
        roots = (root for cause in self._direct(result) for root in self.causes(cause) or [cause])
        return list(dict.fromkeys(roots))

    def findings(self) -> list[Finding]:
        """Return every failure without a cause, the same one on several subjects once."""
        same: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
        for result in self.results:
            if result.state == "failed" and not self._direct(result):
                same.setdefault((result.check, result.detail, result.mend), []).append(result.subject)
        return [Finding(check, tuple(subjects), detail, mend) for (check, detail, mend), subjects in same.items()]

    def _direct(self, result: Result) -> list[Result]:
        if result.state != "failed":
            return []
        return [
            each
            for check in BECAUSE[result.check]
            for each in self.results
            if each.check == check and each.state == "failed" and self._related(result.subject, each.subject)
        ]

    def _related(self, one: str, other: str) -> bool:
        return (
            one == other
            or INGRESS in (one, other)
            or one in self.certificates.get(other, ())
            or other in self.certificates.get(one, ())
        )


def ordered(results: Sequence[Result], subjects: Sequence[str]) -> list[Result]:
    """Return the results by subject and then in the checks' order."""
    checks = list(BECAUSE)
    return sorted(results, key=lambda result: (subjects.index(result.subject), checks.index(result.check)))
