"""One look at everything, side by side."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dns.resolver
from sslyze.mozilla_tls_profile.tls_config_checker import TlsConfigurationAsJson

from tlsctl.verify import caa, cluster, coalescing, https, offers, records, requests, trust
from tlsctl.verify.environment import Environment
from tlsctl.verify.results import INGRESS, Report, Result, ordered

Progress = Callable[[str], object]
"""Told what is going on."""

_WORKERS = 32
"""A part mostly waits for an answer."""


@dataclass(frozen=True)
class Options:
    """How to look."""

    resolver: dns.resolver.Resolver
    ca: Path | None = None
    """Roots to trust, if not those of the stack's issuer."""
    client_certificate: Path | None = None
    """A client certificate and its key, for gateways that ask for one."""


def look(environments: Sequence[Environment], options: Options, progress: Progress) -> Report:
    """Make every check once, of one gateway after the other.

    Raises:
        ProblemsError: there are no roots to trust, or no client certificate.
    """
    results: list[Result] = []
    certificates: dict[str, Sequence[str]] = {}
    shared: dict[str, str] = {}
    profile, lookups = offers.intermediate(), records.Lookups(options.resolver)
    for environment in environments:
        ingress = f"{INGRESS} {environment.gateway}".rstrip()
        trusted = trust.choose(environment, options.ca, options.client_certificate)
        found = _look(environment, trusted, profile, lookups, progress)
        results += [replace(each, subject=ingress) if each.subject == INGRESS else each for each in found]
        certificates |= environment.certificates
        shared |= dict.fromkeys((ingress, *environment.certificates, *environment.hosts), ingress)
    return Report(results, certificates, shared)


def _look(
    environment: Environment,
    trusted: trust.Trust,
    profile: TlsConfigurationAsJson,
    lookups: records.Lookups,
    progress: Progress,
) -> list[Result]:
    """Make every check of a gateway.

    Every host is asked by one handshake; the scans of what is offered follow, since which hosts share a server is
    known by the certificates that were presented.
    """
    with ThreadPoolExecutor(_WORKERS) as pool:
        in_cluster = pool.submit(cluster.look, environment)
        ports = list(pool.map(lambda number: requests.port(environment, number), (80, 443)))
        port_80, port_443 = (port.state == "ok" for port in ports)
        hosts = [pool.submit(https.look, environment, host, trusted, profile, port_443) for host in environment.hosts]
        others: list[Future[list[Result]]] = []
        for host in environment.hosts:
            others.append(pool.submit(records.look, environment, host, lookups))
            others.append(pool.submit(caa.look, environment, host, lookups))
            others.append(pool.submit(requests.plain, environment, host, port_80))
        if port_443:
            for via, hosts_of in coalescing.shared(environment):
                others.append(pool.submit(coalescing.look, environment, via, hosts_of, trusted))
        _follow([in_cluster, *hosts, *others], progress)
    seen = [each.result() for each in hosts]
    presented = {each.host: each.fingerprint for each in seen if each.fingerprint is not None}
    groups = offers.by_server(presented, in_cluster.result().servers)
    progress(f"scanning the versions and cipher suites of {len(groups)} TLS servers")
    results = [
        *in_cluster.result().results,
        *ports,
        *(result for each in seen for result in each.results),
        *(result for each in others for result in each.result()),
        *offers.look(environment, groups, profile),
    ]
    subjects = [INGRESS, *environment.certificates, *environment.hosts]
    return ordered(results, subjects)


def _follow(parts: Sequence[Future[Any]], progress: Progress) -> None:
    for done, _ in enumerate(as_completed(parts), start=1):
        progress(f"{done} of {len(parts)} parts checked")
