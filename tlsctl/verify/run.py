"""One round of all checks, in parallel."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dns.resolver
from sslyze.mozilla_tls_profile.tls_config_checker import TlsConfigurationAsJson

from tlsctl.verify import coalescing, https, offers, records, requests
from tlsctl.verify.checks import CHECKS
from tlsctl.verify.client import Trust, choose_trust
from tlsctl.verify.environment import Environment
from tlsctl.verify.results import INGRESS, Report, Result
from tlsctl.verify.served import TlsServer

if TYPE_CHECKING:
    from tlsctl.verify import cluster

_WORKERS = 32
"""Most checks wait for an answer, so there are more than processors."""


def look(
    environments: Sequence[Environment],
    resolver: dns.resolver.Resolver,
    progress: Callable[[str], object],
    ca: Path | None = None,
    client_certificate: Path | None = None,
) -> Report:
    """Make every check once, for one gateway after the other; `ca` replaces the roots of the stack's issuer.

    Raises:
        ProblemsError: the roots or the client certificate cannot be read.
    """
    results: list[Result] = []
    certificates: dict[str, Sequence[str]] = {}
    shared: dict[str, str] = {}
    profile, lookups = offers.intermediate(), records.Lookups(resolver)
    for environment in environments:
        ingress = f"{INGRESS} {environment.gateway}".rstrip()
        trust = choose_trust(environment, ca, client_certificate)
        results += [
            replace(result, subject=ingress) if result.subject == INGRESS else result
            for result in _look(environment, trust, profile, lookups, progress)
        ]
        certificates |= environment.certificates
        shared |= dict.fromkeys((ingress, *environment.certificates, *environment.hosts), ingress)
    return Report(results, certificates, shared)


def other_certificates(
    environment: Environment, presented: Mapping[str, str], servers: Mapping[str, TlsServer]
) -> Mapping[tuple[str, str], Result]:
    """Return a failed handshake for each host that is served another certificate than that of its Secret.

    Args:
        environment: The gateway.
        presented: The fingerprint of the certificate that each host presents.
        servers: The TLS server of each host, as the cluster has it.
    """
    failures = {}
    for host, server in servers.items():
        if server.fingerprint and presented.get(host, server.fingerprint) != server.fingerprint:
            detail = f"a certificate is served that is not in the Secret {environment.certificate_of[host]}"
            failures["handshake", host] = environment.failed("handshake", host, detail)
    return failures


def _read_cluster(environment: Environment) -> "cluster.Seen":
    # The Kubernetes client takes most of a second to load: meanwhile the hosts are asked.
    from tlsctl.verify import cluster

    return cluster.look(environment)


def _look(
    environment: Environment,
    trust: Trust,
    profile: TlsConfigurationAsJson,
    lookups: records.Lookups,
    progress: Callable[[str], object],
) -> list[Result]:
    """Make every check of a gateway; the scans come last, since handshakes show which hosts share a server."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        from_cluster = pool.submit(_read_cluster, environment)
        ports = list(pool.map(lambda number: requests.port(environment, number), (80, 443)))
        port_80, port_443 = (port.state == "ok" for port in ports)
        over_https: list[Future[https.Seen]] = []
        others: list[Future[list[Result]]] = []
        for host in environment.hosts:
            over_https.append(pool.submit(https.look, environment, host, trust, profile, port_443))
            others.append(pool.submit(records.look, environment, host, lookups))
            others.append(pool.submit(requests.plain, environment, host, port_80))
        if port_443:
            for via, hosts in coalescing.shared(environment):
                others.append(pool.submit(coalescing.look, environment, via, hosts, trust))
        parts: list[Future[Any]] = [from_cluster, *over_https, *others]
        for done, _ in enumerate(as_completed(parts), start=1):
            progress(f"{done} of {len(parts)} parts checked")
    seen = [future.result() for future in over_https]
    fingerprints = {host.host: host.fingerprint for host in seen if host.fingerprint is not None}
    groups = offers.by_server(fingerprints, from_cluster.result().servers)
    progress(f"scanning the versions and cipher suites of {len(groups)} TLS servers")
    others_served = other_certificates(environment, fingerprints, from_cluster.result().servers)
    results = [
        *from_cluster.result().results,
        *ports,
        *(others_served.get((result.check, host.host), result) for host in seen for result in host.results),
        *(result for future in others for result in future.result()),
        *offers.look(environment, groups, profile),
    ]
    subjects = [INGRESS, *environment.certificates, *environment.hosts]
    order = {place: index for index, place in enumerate(itertools.product(subjects, CHECKS))}
    return sorted(results, key=lambda result: order[result.subject, result.check])
