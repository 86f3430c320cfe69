"""A stack of this program in a sandbox, and the operator's commands on it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import acme, testing
from sandbox.testing.engine import TIMEOUT

PROJECT = Path(__file__).parents[2]
PREFIX = "istio-gateway-tls:"
SHOP: dict[str, Any] = {"host": "shop.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
API: dict[str, Any] = {"host": "api.sandbox.test", "service": "api", "namespace": "api", "port": 8080}
"""Hosts for the two applications that every sandbox has."""
SECRET = "istio-ingressgateway-certs"
"""The default of `certificate.secretName`."""
ISSUER = "letsencrypt-staging-istio"
GATEWAYS = {"istio": "gateways.networking.istio.io", "gateway": "gateways.gateway.networking.k8s.io"}
"""The kind of the Gateways, by API."""
GROUPING = {"istio": "shared", "gateway": "perHost"}
"""Certificates for several hosts, by API: a listener of the Gateway API has one host."""


class Stack(testing.Stack):
    """A stack whose config begins as a copy of ``Pulumi.sandbox.yaml``."""

    def __init__(self, name: str, folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(name, PROJECT, folder, config=PROJECT / "Pulumi.sandbox.yaml", environment=environment)

    def write_in(self, api: str) -> None:
        """Have the next `up` write the stack in an API, with certificates that this can serve."""
        make_way(api)
        self.configure(api=api, certificate={"grouping": GROUPING[api]})

    def use_acme(self, proxy: testing.AcmeProxy, **settings: Any) -> None:
        """Have staging's certificates signed through a proxy."""
        bundle = self.get("acme")["caBundle"] + proxy.ca_bundle
        self.configure(acme={"servers": {"staging": proxy.url}, "caBundle": bundle, **settings})

    def tlsctl(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `tlsctl` on the stack; the caller judges the exit code."""
        argv = [sys.executable, "-m", "tlsctl", command, "--stack", self.name, "--config-file", str(self.file)]
        return subprocess.run(
            [*argv, *options], cwd=PROJECT, env=self.environment,
            capture_output=True, text=True, timeout=TIMEOUT, check=False,
        )  # fmt: skip

    def verify(self, *options: str, ca: Path = acme.STAGING.root_file) -> Report:
        """Return the report of `tlsctl verify`.

        Args:
            options: Of the command.
            ca: The root that the served certificates have to chain to.
        """
        done = self.tlsctl("verify", "--json", "--ca", str(ca), *options)
        assert done.stdout, f"verify prints a report for machines: {done.stderr}"
        report = json.loads(done.stdout)
        assert done.returncode == (0 if report["ok"] else 1), "the exit code is 0 only if all is ok"
        return Report(report["ok"], report["checks"], report["problems"])


def make_way(api: str, namespace: str = testing.ISTIO) -> None:
    """Remove the Gateways of the other API: beside them, an `up` waits a minute for their connections to end."""
    for kind in (kind for name, kind in GATEWAYS.items() if name != api):
        testing.kubectl("delete", kind, "--all", "--namespace", namespace)


def certificate_of(host: str) -> str:
    """Return the name of a host's Certificate, which may be for other hosts as well."""
    certificates = testing.items("certificates", testing.ISTIO)
    return next(str(obj["metadata"]["name"]) for obj in certificates if host in obj["spec"]["dnsNames"])


@dataclass(frozen=True)
class Report:
    """What `tlsctl verify --json` prints."""

    ok: bool
    checks: list[dict[str, Any]]
    problems: list[dict[str, Any]]

    def of(self, check: str) -> list[dict[str, Any]]:
        """Return the results of a check."""
        return [result for result in self.checks if result["check"] == check]

    def states(self, check: str) -> dict[str, str]:
        """Return the state of a check by subject."""
        return {result["subject"]: result["state"] for result in self.of(check)}
