"""The programs that replace images."""

import pytest

from sandbox.node.images import UnknownImageError, find, repository


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("quay.io/jetstack/cert-manager-webhook:v1@sha256:0a1b", "jetstack/cert-manager-webhook"),
        ("mirror.corp:5000/cache/istio/proxyv2:1.31-distroless@sha256:ff", "istio/proxyv2"),
        ("sandbox/demo", "sandbox/demo"),
        ("nginx", "nginx"),
        ("registry:5000/nginx", "registry:5000/nginx"),
    ],
)
def test_registry_tag_and_digest_do_not_select_the_program(reference: str, expected: str) -> None:
    assert repository(reference) == expected


def test_an_image_without_a_program_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(UnknownImageError, match=r'image "nginx:1".*known images: .*istio/pilot.*sandbox/demo'):
        find("nginx:1")
