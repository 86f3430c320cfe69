"""cert-manager's own metrics as PromQL: what alerts and the dashboard ask for, written once.

A time of 0 is cert-manager's way to say that there is none yet. The scrape's own namespace is in `namespace`, and the
Certificate's in `exported_namespace`: the default of every monitor. Source of the metrics: cert-manager's
internal/collectors and pkg/metrics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FAILED = ',status!~"[23].."'
"""cert-manager counts a request without an answer as status 999."""


def by_namespace(namespace: str, certificates: Sequence[str]) -> dict[str, list[str]]:
    """Return the names of Certificates by namespace; those without one of their own are in `namespace`."""
    names: dict[str, list[str]] = {}
    for certificate in certificates:
        where, _, name = certificate.rpartition("/")
        names.setdefault(where or namespace, []).append(name)
    return names


@dataclass(frozen=True)
class Certificates:
    """Certificates, by their names in each namespace."""

    names: Mapping[str, Sequence[str]]

    def of_each(self, metric: str, matching: str = "") -> str:
        """Return one value per certificate, whichever of cert-manager's replicas it comes from."""
        selected = " or ".join(
            f"certmanager_certificate_{metric}{{{_watched(where, names)}{matching}}}"
            for where, names in self.names.items()
        )
        return f"max by (exported_namespace, name) ({selected})"

    @property
    def ready(self) -> str:
        """Return 1 for each that is Ready, else 0."""
        return self.of_each("ready_status", ',condition="True"')

    @property
    def expiry(self) -> str:
        """Return when each expires."""
        return self.of_each("not_after_timestamp_seconds")

    @property
    def renewal(self) -> str:
        """Return when each is to be renewed."""
        return self.of_each("renewal_timestamp_seconds")

    @property
    def lifetime(self) -> str:
        """Return how long each is valid, in seconds."""
        return f"({self.expiry} - {self.of_each('not_before_timestamp_seconds')})"

    @property
    def seconds_left(self) -> str:
        """Return how long each is still valid; negative when it has expired."""
        return f"({self.expiry} > 0) - time()"

    @property
    def share_left(self) -> str:
        """Return the same as a share of its lifetime."""
        return f"({self.seconds_left}) / {self.lifetime}"


def _watched(namespace: str, names: Sequence[str]) -> str:
    named = "|".join(name.replace(".", "[.]") for name in names)
    return f'exported_namespace="{namespace}",name=~"{named}"'


def acme_requests(matching: str = "", by: str = "host") -> str:
    """Return an hour's requests by server.

    `increase` alone misses the one that begins a series, often the only one. A request without a host went nowhere:
    after it has finalized an order, cert-manager asks for it at the answer's Location, and some servers send none.
    """
    count = f'certmanager_http_acme_client_request_count{{host!=""{matching}}}'
    return f"sum by ({by}) (({count} unless {count} offset 1h) or increase({count}[1h]))"


def acme_failures() -> str:
    """Return the share of an hour's requests that failed, by server."""
    return f"{acme_requests(FAILED)} / {acme_requests()}"
