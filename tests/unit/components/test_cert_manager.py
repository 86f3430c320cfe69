"""Which versions of cert-manager are accepted."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from components.fields import Digest
from components.specs import cert_manager
from components.specs.cert_manager import VERSION, check_version, pinned

DIGEST = f"sha256:{'a' * 64}"


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


def test_a_chart_in_a_registry_is_pinned_by_its_digest_and_a_package_is_a_file() -> None:
    for chart, reference in (
        (f"oci://localhost:5000/cert-manager@{DIGEST}", f"oci://localhost:5000/cert-manager@{DIGEST}"),
        ("charts/cert-manager-v1.21.2.tgz", "charts/cert-manager-v1.21.2.tgz"),
    ):
        assert pinned(chart, DIGEST) == reference


@pytest.mark.parametrize("digest", ["a" * 64, f"sha512:{'a' * 64}", f"sha256:{'A' * 64}"])
def test_other_digests_are_refused(digest: str) -> None:
    with pytest.raises(ValueError, match="is not sha256: and 64 hexadecimal digits"):
        TypeAdapter(Digest).validate_python(digest)


@pytest.mark.parametrize(
    ("values", "on"),
    [
        ({"featureGates": "ACMEUseARI=true"}, True),
        ({"featureGates": "A=true,ACMEUseARI=false"}, False),
        ({"config": {"featureGates": {"ACMEUseARI": True}}}, True),
        ({"extraArgs": ["--feature-gates=ACMEUseARI=true"]}, True),
        ({}, False),
        (None, False),
    ],
)
def test_ari_is_turned_on_in_three_ways(values: Any, on: bool) -> None:
    assert cert_manager.uses_ari(values) is on
