"""Configs of the tests, and the program that is run with them."""

import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.problem import ProblemsError
from config.models import Settings
from config.reading import read_settings
from tests.unit import harness
from tests.unit.harness import PROJECT, Recorder, engine_config, good_config

ROOT = Path(__file__).parents[3]
IP = "203.0.113.10"
HOST: dict[str, Any] = {"host": "shop.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
WIKI = {"host": "wiki.sandbox.test", "service": "wiki", "namespace": "wiki", "port": 80}
TO = {"service": "a", "namespace": "a", "port": 1}
INSIDE: dict[str, Any] = {"service": "internal-gateway", "selector": {"istio": "internal-gateway"}}
INTERNAL: dict[str, Any] = {"name": "internal", "ingress": INSIDE, "challenge": "dns01", "hosts": [WIKI]}


def acme(**changes: Any) -> dict[str, Any]:
    """The section `acme`, with some keys of it changed."""
    return {"email": "platform@sandbox.test", "issuer": "staging", **changes}


def load(config: dict[str, Any], secret: tuple[str, ...] = ()) -> Settings:
    """Read a config as the engine hands it over."""
    return read_settings(engine_config(config), "dev", secret={f"{PROJECT}:{key}" for key in secret})


def settings(**changes: Any) -> Settings:
    """The settings of a good config with some keys changed."""
    return load(good_config(**changes))


def refusal(secret: tuple[str, ...] = (), config: dict[str, Any] | None = None, **changes: Any) -> str:
    """The report of a bad config."""
    with pytest.raises(ProblemsError) as refused:
        load(good_config(**changes) if config is None else config, secret)
    return str(refused.value)


def program() -> None:
    """The whole program."""
    runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")


def stack_config(stack: str, folder: Path = ROOT) -> dict[str, Any]:
    """Read a stack's file, with what a user has yet to fill in filled in."""
    text = (folder / f"Pulumi.{stack}.yaml").read_text()
    filled = text.replace("change-me", "filled-in").replace("your-domain.com", "sandbox.test")
    config: dict[str, Any] = yaml.safe_load(filled)["config"]
    prefix = f"{harness.PROJECT}:"
    return {
        key.removeprefix(prefix): str(value).lower() if isinstance(value, bool) else value
        for key, value in config.items()
    }


def example_stack() -> tuple[dict[str, Any], Recorder]:
    """Return the config of the example of a whole stack, and the answers that it gets."""
    by_dns = {"dnsEndpointConfigs": [{"endpoint": "gke-1.europe-west1.gke.goog", "allowExternalTraffic": True}]}
    recorder = Recorder(zone_domain="acme.dev.", cluster={"controlPlaneEndpointsConfigs": [by_dns]})
    return stack_config("prod", ROOT / "examples" / "stack") | {"gcp:project": "platform"}, recorder
