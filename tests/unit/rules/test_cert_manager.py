"""Which versions of cert-manager are accepted."""

import pytest

from components.rules.cert_manager import VERSION, check_version


@pytest.mark.parametrize("version", ["v1.19.6", "v1.20.3", "1.20.4", "v1.21.2", "v1.22.0", "v2.0.0", VERSION])
def test_a_version_without_known_faults_is_accepted(version: str) -> None:
    assert check_version(version) == f"v{version.removeprefix('v')}"


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("v1.18.9", "GHSA-8rvj-mm4h-c258"),
        ("v1.19.5", "GHSA-8rvj-mm4h-c258"),
        ("v1.20.2", "GHSA-8rvj-mm4h-c258"),
        ("v0.20.9", "GHSA-8rvj-mm4h-c258"),
        ("v1.21.0", "renews in a loop"),
        ("v1.21.1", "renews in a loop"),
        ("latest", "is not a chart version"),
        ("v1.21.2-beta.0", "is not a chart version"),
    ],
)
def test_a_version_with_a_known_fault_is_refused_with_the_reason(version: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_version(version)
