"""Protocol versions and cipher suites that the gateway offers, by sslyze, against Mozilla's intermediate profile."""

from collections.abc import Mapping, Set

from sslyze.mozilla_tls_profile.tls_config_checker import (
    MozillaTlsConfiguration,
    TlsConfigurationAsJson,
    TlsConfigurationEnum,
)
from sslyze.plugins.scan_commands import ScanCommand
from sslyze.scanner.models import ServerScanRequest
from sslyze.scanner.scanner import Scanner
from sslyze.server_setting import ServerNetworkConfiguration, ServerNetworkLocation

from verify.checks import Result
from verify.environment import Environment, probe_name

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


def look(environment: Environment, host: str, profile: TlsConfigurationAsJson) -> list[Result]:
    """Offer the gateway every version and suite, and judge what it takes."""
    offer = _scan(environment.ip, probe_name(host))
    if not offer:
        return [Result(check, host, "failed", "no TLS handshake succeeds") for check in ("protocols", "ciphers")]
    return judge(environment, host, offer, profile)


def _scan(ip: str, name: str) -> Offer:
    # The address is given, so that sslyze does not look the name up.
    location = ServerNetworkLocation(name, port=443, ip_address=ip)
    network = ServerNetworkConfiguration(name, network_timeout=3, network_max_retries=1)
    scanner = Scanner()
    scanner.queue_scans([ServerScanRequest(location, network, scan_commands=set(_VERSIONS.values()))])
    offer: dict[str, set[str]] = {}
    for scan in scanner.get_results():
        for version, command in _VERSIONS.items():
            attempt = getattr(scan.scan_result, command.value, None)
            if attempt and attempt.result and attempt.result.accepted_cipher_suites:
                offer[version] = {each.cipher_suite.name for each in attempt.result.accepted_cipher_suites}
    return offer


def judge(environment: Environment, host: str, offer: Offer, profile: TlsConfigurationAsJson) -> list[Result]:
    """Compare an offer with the profile, whose lowest version is the least that `tls.minVersion` takes."""
    minimum = f"TLSv{environment.settings.tls.min_version}"
    versions = list(_VERSIONS)
    weak = [version for version in offer if versions.index(version) < versions.index(minimum)]
    suites = {suite for offered in offer.values() for suite in offered}
    beyond = sorted(suites - profile.ciphers.iana - profile.ciphersuites)
    return [
        Result("protocols", host, "failed", f"offers {', '.join(weak)}, below {minimum}", (environment.up,))
        if weak
        else Result("protocols", host, "ok", ", ".join(offer)),
        Result(
            "ciphers", host, "failed", f"beyond Mozilla's intermediate profile: {', '.join(beyond)}", (environment.up,)
        )
        if beyond
        else Result("ciphers", host, "ok", f"{len(suites)}, all of Mozilla's intermediate profile"),
    ]
