"""Protocol versions and cipher suites that the gateway offers, by sslyze, against Mozilla's intermediate profile.

A scan is some five hundred handshakes, one for each version and suite, and takes half a second of a processor. What is
offered belongs to the server that answers, not to the name that is asked for, so a server is scanned once, by one of
its names. Which hosts a server answers for is told from outside by the certificate: a server of a Gateway presents one.
Where the cluster is read as well, servers with the same TLS settings count as one, if each host gets the certificate of
its own server's Secret: then it is this server that answers for it.
"""

from collections.abc import Mapping, Sequence, Set

from sslyze.mozilla_tls_profile.tls_config_checker import (
    MozillaTlsConfiguration,
    TlsConfigurationAsJson,
    TlsConfigurationEnum,
)
from sslyze.plugins.scan_commands import ScanCommand
from sslyze.scanner.models import ServerScanRequest, ServerScanResult
from sslyze.scanner.scanner import Scanner
from sslyze.server_setting import ServerNetworkConfiguration, ServerNetworkLocation

from tlsctl.verify.environment import Environment, probe_name
from tlsctl.verify.results import Result
from tlsctl.verify.serving import Server

_VERSIONS = {
    "SSLv2": ScanCommand.SSL_2_0_CIPHER_SUITES,
    "SSLv3": ScanCommand.SSL_3_0_CIPHER_SUITES,
    "TLSv1": ScanCommand.TLS_1_0_CIPHER_SUITES,
    "TLSv1.1": ScanCommand.TLS_1_1_CIPHER_SUITES,
    "TLSv1.2": ScanCommand.TLS_1_2_CIPHER_SUITES,
    "TLSv1.3": ScanCommand.TLS_1_3_CIPHER_SUITES,
}
"""In the profile's names, oldest first."""

Offer = Mapping[str, Set[str]]
"""The cipher suites (IANA names) of each version that is offered."""


def intermediate() -> TlsConfigurationAsJson:
    """Return Mozilla's intermediate profile, as sslyze carries it."""
    return MozillaTlsConfiguration.get(TlsConfigurationEnum.MOZILLA_INTERMEDIATE)


def by_server(fingerprints: Mapping[str, str], servers: Mapping[str, Server]) -> list[list[str]]:
    """Divide hosts by the server that answers for them.

    Args:
        fingerprints: of the certificate that each host presents.
        servers: what the cluster says of each host's server; empty where it cannot be read.

    Returns:
        The hosts of each server, or of each set of servers with the same settings.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for host, fingerprint in fingerprints.items():
        server = servers.get(host)
        own = server is not None and server.fingerprint == fingerprint
        key = ("settings", server.settings) if server is not None and own else ("certificate", fingerprint)
        groups.setdefault(key, []).append(host)
    return list(groups.values())


def look(environment: Environment, groups: Sequence[Sequence[str]], profile: TlsConfigurationAsJson) -> list[Result]:
    """Offer each server every version and suite, and judge what it takes.

    Args:
        environment: of the hosts.
        groups: the hosts of each server; the first is the name that is asked for.
        profile: what is good.
    """
    offers = _scan(environment.ip, [hosts[0] for hosts in groups])
    return [
        result
        for hosts in groups
        for host in hosts
        for result in judge(environment, host, offers.get(hosts[0], {}), profile)
    ]


def _scan(ip: str, hosts: Sequence[str]) -> dict[str, Offer]:
    requests = [_request(ip, probe_name(host)) for host in hosts]
    if not requests:
        return {}
    scanner = Scanner()
    scanner.queue_scans(requests)
    asked = {request.uuid: host for request, host in zip(requests, hosts, strict=True)}
    return {asked[scan.uuid]: _offer(scan) for scan in scanner.get_results()}


def _request(ip: str, name: str) -> ServerScanRequest:
    # The address is given, so that sslyze does not look the name up.
    location = ServerNetworkLocation(name, port=443, ip_address=ip)
    network = ServerNetworkConfiguration(name, network_timeout=3, network_max_retries=1)
    return ServerScanRequest(location, network, scan_commands=set(_VERSIONS.values()))


def _offer(scan: ServerScanResult) -> Offer:
    attempts = {version: getattr(scan.scan_result, command.value, None) for version, command in _VERSIONS.items()}
    return {
        version: {each.cipher_suite.name for each in attempt.result.accepted_cipher_suites}
        for version, attempt in attempts.items()
        if attempt and attempt.result and attempt.result.accepted_cipher_suites
    }


def judge(environment: Environment, host: str, offer: Offer, profile: TlsConfigurationAsJson) -> list[Result]:
    """Compare an offer with the profile, whose lowest version is the least that `tls.minVersion` takes."""
    up = environment.fix("protocols", host=host)
    if not offer:
        return [Result(check, host, "failed", "the scan got no handshake", up) for check in ("protocols", "ciphers")]
    minimum = f"TLSv{environment.settings.tls.min_version}"
    versions = list(_VERSIONS)
    weak = [version for version in offer if versions.index(version) < versions.index(minimum)]
    suites = {suite for offered in offer.values() for suite in offered}
    beyond = sorted(suites - profile.ciphers.iana - profile.ciphersuites)
    return [
        Result("protocols", host, "failed", f"offers {', '.join(weak)}, below {minimum}", up)
        if weak
        else Result("protocols", host, "ok", ", ".join(offer)),
        Result("ciphers", host, "failed", f"beyond Mozilla's intermediate profile: {', '.join(beyond)}", up)
        if beyond
        else Result("ciphers", host, "ok", f"{len(suites)}, all of Mozilla's intermediate profile"),
    ]
