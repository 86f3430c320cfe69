"""The config file: what is there stays, what is missing is added."""

from pathlib import Path
from typing import Any

import pytest

from components.problem import ProblemsError
from tlsctl.adopt import config

DECIDED: dict[str, Any] = {
    "acme": {"email": "platform@acme.dev", "issuer": "prod"},
    "hosts": [{"host": "shop.acme.dev", "port": 80}],
}


DOCUMENT = {
    "config": {
        "gcp:project": "project",
        "istio-gateway-tls:acme": DECIDED["acme"],
        "istio-gateway-tls:hosts": DECIDED["hosts"],
    }
}


def test_of_an_empty_file_everything_is_written_and_a_second_time_nothing(tmp_path: Path) -> None:
    assert config.completed(config.read(tmp_path / "Pulumi.prod.yaml"), DECIDED, "project") == (DOCUMENT, [])
    assert config.completed(DOCUMENT, DECIDED, "project") == (DOCUMENT, [])


def test_a_zone_of_another_project_than_the_providers_is_written_with_it() -> None:
    written = {"config": {"gcp:project": "platform"}}
    document, kept = config.completed(written, {"dns": {"zone": "acme"}}, "dns-project")

    assert document["config"] == {
        "gcp:project": "platform",
        "istio-gateway-tls:dns": {"zone": "acme", "project": "dns-project"},
    }
    assert not kept


def test_what_a_template_leaves_to_be_filled_in_is_filled_in() -> None:
    template = {
        "config": {
            "gcp:project": "change-me",
            "istio-gateway-tls:acme": {"email": "platform@your-domain.com"},
            "istio-gateway-tls:hosts": [{"host": "shop.your-domain.com"}],
        }
    }
    assert config.completed(template, DECIDED, "project") == (DOCUMENT, [])


def test_nothing_that_a_user_has_written_is_overwritten() -> None:
    written = {
        "encryptionsalt": "v1:x",
        "config": {"istio-gateway-tls:acme": {"email": "other@acme.dev"}, "istio-gateway-tls:hosts": []},
    }
    document, kept = config.completed(written, DECIDED, "project")

    assert document["config"]["istio-gateway-tls:acme"] == {"email": "other@acme.dev", "issuer": "prod"}
    assert document["config"]["istio-gateway-tls:hosts"] == [], "a list is one value"
    assert (document["encryptionsalt"], kept) == ("v1:x", ["acme.email", "hosts"])


def test_what_is_written_reads_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    bundle = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
    config.write(file, {"config": {"acme": {"caBundle": bundle, "version": "1.2"}, "hosts": [{"host": "a"}]}})

    assert config.read(file)["config"]["acme"] == {"caBundle": bundle, "version": "1.2"}
    assert "\n    caBundle: |\n" in file.read_text(), "a certificate is a block"


@pytest.mark.parametrize("content", ["- a", "config: [a]", "a: {"])
def test_another_file_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(content)
    with pytest.raises(ProblemsError, match=r"Pulumi\.prod\.yaml"):
        config.read(file)
