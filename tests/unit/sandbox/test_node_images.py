"""The image table: references, and what is said of an image that nothing stands for."""

from pathlib import Path

import pytest

from sandbox.node.images import UnknownImageError, find, image_table, repository

TABLE = image_table(Path("/bin-dir"), Path("/tools/envoy"), Path("/istio/bootstrap.json"))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("quay.io/jetstack/cert-manager-controller:v1.21.2", "jetstack/cert-manager-controller"),
        ("quay.io/jetstack/cert-manager-webhook@sha256:0a1b", "jetstack/cert-manager-webhook"),
        ("mirror.corp:5000/cache/istio/proxyv2:1.31-distroless@sha256:ff", "istio/proxyv2"),
        ("sandbox/demo", "sandbox/demo"),
        ("nginx", "nginx"),
        ("registry:5000/nginx", "registry:5000/nginx"),
    ],
)
def test_a_reference_is_known_by_its_repository_alone(reference: str, expected: str) -> None:
    assert repository(reference) == expected, "registry, tag and digest do not choose the program"


def test_each_part_of_cert_manager_is_an_argument_of_one_program() -> None:
    image = find(TABLE, "quay.io/jetstack/cert-manager-acmesolver:v1.21.2")
    assert image.entrypoint == ("/bin-dir/cert-manager", "acmesolver"), "the multi-call program takes the part first"


def test_the_proxy_image_brings_envoy_where_pilot_agent_looks_for_it() -> None:
    image = find(TABLE, "docker.io/istio/proxyv2:x")
    assert image.files["/usr/local/bin/envoy"] == Path("/tools/envoy"), "pilot-agent's default binaryPath"


def test_an_unknown_image_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownImageError, match=r'image "nginx:1".*known images: .*istio/pilot.*sandbox/demo'):
        find(TABLE, "nginx:1")
