"""The protocol versions and cipher suites that the gateway offers, compared with Mozilla's intermediate profile.

A scan makes some five hundred handshakes, which takes half a second of CPU time, so each server is scanned once, by one
of its names. Hosts that get the same certificate are on the same server, since a server presents one certificate. Where
the cluster can be read, servers with the same TLS settings count as one, provided that each host gets the certificate
in its own server's Secret: only then is it this server that answers for it.
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
from tlsctl.verify.results import Result, ok
from tlsctl.verify.served import TlsServer

_VERSIONS = {
    "SSLv2": ScanCommand.SSL_2_0_CIPHER_SUITES,
    "SSLv3": ScanCommand.SSL_3_0_CIPHER_SUITES,
    "TLSv1": ScanCommand.TLS_1_0_CIPHER_SUITES,
    "TLSv1.1": ScanCommand.TLS_1_1_CIPHER_SUITES,
    "TLSv1.2": ScanCommand.TLS_1_2_CIPHER_SUITES,
    "TLSv1.3": ScanCommand.TLS_1_3_CIPHER_SUITES,
}
"""By the names of the profile, oldest first."""

Offer = Mapping[str, Set[str]]
"""The cipher suites (IANA names) of each version on offer."""


def intermediate() -> TlsConfigurationAsJson:
    """Return Mozilla's intermediate profile, as sslyze contains it."""
    return MozillaTlsConfiguration.get(TlsConfigurationEnum.MOZILLA_INTERMEDIATE)


def by_server(fingerprints: Mapping[str, str], servers: Mapping[str, TlsServer]) -> list[list[str]]:
    """Group hosts by the server that answers for them; servers with the same settings count as one."""
    groups: dict[tuple[str, str], list[str]] = {}
    for host, fingerprint in fingerprints.items():
        key = ("certificate", fingerprint)
        server = servers.get(host)
        if server is not None and server.fingerprint == fingerprint:
            key = ("settings", server.settings)
        groups.setdefault(key, []).append(host)
    return list(groups.values())


def look(environment: Environment, groups: Sequence[Sequence[str]], profile: TlsConfigurationAsJson) -> list[Result]:
    """Scan each server by the first of its hosts, and judge what it offers."""
    offers = _scan(environment.ip, [hosts[0] for hosts in groups])
    return [
        result
        for hosts in groups
        for host in hosts
        for result in judge(environment, host, offers.get(hosts[0], {}), profile)
    ]


def _scan(ip: str, hosts: Sequence[str]) -> dict[str, Offer]:
    requests = {host: _request(ip, probe_name(host)) for host in hosts}
    if not requests:
        return {}
    scanner = Scanner()
    scanner.queue_scans(list(requests.values()))
    hosts_by_scan = {request.uuid: host for host, request in requests.items()}
    return {hosts_by_scan[scan.uuid]: _offer(scan) for scan in scanner.get_results()}


def _request(ip: str, name: str) -> ServerScanRequest:
    # With an address, sslyze does not look the name up.
    location = ServerNetworkLocation(name, port=443, ip_address=ip)
    network = ServerNetworkConfiguration(name, network_timeout=3, network_max_retries=1)
    return ServerScanRequest(location, network, scan_commands=set(_VERSIONS.values()))


def _offer(scan: ServerScanResult) -> Offer:
    attempts = {version: getattr(scan.scan_result, command.value, None) for version, command in _VERSIONS.items()}
    return {
        version: {accepted.cipher_suite.name for accepted in attempt.result.accepted_cipher_suites}
        for version, attempt in attempts.items()
        if attempt and attempt.result and attempt.result.accepted_cipher_suites
    }


def judge(environment: Environment, host: str, offer: Offer, profile: TlsConfigurationAsJson) -> list[Result]:
    """Compare an offer with the profile and with `tls.minVersion`."""
    if not offer:
        wrong = "no handshake of the scan succeeds"
        return [environment.failed(check, host, wrong) for check in ("protocols", "ciphers")]
    minimum = f"TLSv{environment.settings.tls.min_version}"
    versions = list(_VERSIONS)
    weak = [version for version in offer if versions.index(version) < versions.index(minimum)]
    suites = {suite for accepted in offer.values() for suite in accepted}
    beyond = sorted(suites - profile.ciphers.iana - profile.ciphersuites)
    return [
        environment.failed("protocols", host, f"offers {', '.join(weak)}, below {minimum}")
        if weak
        else ok("protocols", host, ", ".join(offer)),
        environment.failed("ciphers", host, f"beyond Mozilla's intermediate profile: {', '.join(beyond)}")
        if beyond
        else ok("ciphers", host, f"{len(suites)}, all in Mozilla's intermediate profile"),
    ]
