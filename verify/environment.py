"""The environment that is looked at, from its stack: outputs for what is live, config for what was asked for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.rules.problem import ProblemsError
from components.rules.production import PROJECT

if TYPE_CHECKING:
    from settings import Settings

_TIMEOUT = 60


class UnreadableError(Exception):
    """The stack cannot be read; the text says why, and the command that mends it."""


@dataclass(frozen=True)
class Environment:
    """One stack, as it is deployed."""

    stack: str
    ip: str
    """The gateway's address."""
    issuer: str
    """The issuer that signs."""
    settings: Settings
    """The stack's config: what was asked for."""
    kubeconfig: str | None = None
    """A path or content, as the stack's Kubernetes provider has it; None is the ambient one."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """In the config's order; `*.` may lead one."""
        return tuple(host.host for host in self.settings.hosts)

    @property
    def certificates(self) -> Mapping[str, tuple[str, ...]]:
        """The hosts of each Certificate; its Secret has the same name."""
        return {name: tuple(hosts) for name, hosts in self.settings.certificates.items()}

    @property
    def up(self) -> str:
        """The command that puts back what the program makes."""
        return f"pulumi up --refresh --stack {self.stack}"

    @property
    def namespace(self) -> str:
        """Where the gateway is, and all that this program puts beside it."""
        return self.settings.ingress.namespace

    def certificate_of(self, host: str) -> str:
        """Return the Certificate of a host."""
        return next(name for name, hosts in self.certificates.items() if host in hosts)


def probe_name(host: str) -> str:
    """Return the name to ask for: any label stands for a wildcard."""
    return host.replace("*", "verify", 1) if host.startswith("*.") else host


def read(stack: str | None, config_file: str | None = None) -> Environment:
    """Read a stack's state and config through the pulumi command line, as the user has it set up.

    Args:
        stack: its name; without it, the selected one.
        config_file: its config, if not `Pulumi.<stack>.yaml`.

    Raises:
        UnreadableError: there is no such stack, it is not deployed, or its config is not valid.
    """
    name = ["--stack", stack] if stack else []
    file = ["--config-file", config_file] if config_file else []
    with ThreadPoolExecutor() as pool:
        # A kubeconfig may be a secret of the stack; it stays in memory.
        state = pool.submit(_pulumi, "stack", "export", "--show-secrets", *name)
        config = pool.submit(_pulumi, "config", "--json", "--show-secrets", *name, *file)
        # Loading them takes a moment: it passes while the engine reads.
        import settings  # noqa: F401

        return environment(json.loads(state.result()), json.loads(config.result()), stack)


def environment(state: Mapping[str, Any], config: Mapping[str, Any], stack: str | None = None) -> Environment:
    """Put an environment together.

    Args:
        state: what `pulumi stack export` prints.
        config: what `pulumi config --json` prints.
        stack: the stack's name, if it was given.

    Raises:
        UnreadableError: the stack is not deployed, or its config is not valid.
    """
    from settings import Settings, decode
    from settings.crosschecks import cross_checks

    resources = state["deployment"].get("resources") or []
    root: Mapping[str, Any] = next((each for each in resources if each["type"] == "pulumi:pulumi:Stack"), {})
    outputs = root.get("outputs", {})
    name = str(root["urn"].split(":")[2] if root else stack or "")
    if not outputs.get("ingressIp") or not outputs.get("dnsRecords"):
        flag = f" --stack {name}" if name else ""
        raise UnreadableError(
            f"the stack {name or '(selected)'} is not deployed: it has no outputs\n    pulumi up{flag}"
        )
    values = {key: each.get("objectValue", each.get("value")) for key, each in config.items()}
    secret = {key for key, each in config.items() if each.get("secret")}
    try:
        settings = decode(Settings, values, PROJECT, name, secret=secret, cross_check=cross_checks)
    except ProblemsError as error:
        raise UnreadableError(str(error)) from None
    if missing := [host.host for host in settings.hosts if host.host not in outputs["dnsRecords"]]:
        raise UnreadableError(f"configured, but not deployed: {', '.join(missing)}\n    pulumi up --stack {name}")
    return Environment(name, outputs["ingressIp"], outputs["issuer"], settings, _kubeconfig(resources))


def _kubeconfig(resources: list[Mapping[str, Any]]) -> str | None:
    """Return the kubeconfig of the stack's Kubernetes provider, from its state; None is the ambient one."""
    found = next((each for each in resources if each["type"] == "pulumi:providers:kubernetes"), {})
    value = found.get("inputs", {}).get("kubeconfig")
    # The engine writes a secret as an object with the value as JSON.
    kubeconfig: str | None = json.loads(value["plaintext"]) if isinstance(value, Mapping) else value
    return kubeconfig


def _pulumi(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"], capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
    except FileNotFoundError:
        raise UnreadableError("there is no pulumi on PATH\n    curl -fsSL https://get.pulumi.com | sh") from None
    except subprocess.TimeoutExpired:
        raise UnreadableError(f"`pulumi {' '.join(arguments)}` took more than {_TIMEOUT} s") from None
    if done.returncode:
        words = done.stderr.strip().removeprefix("error: ")
        raise UnreadableError(f"{words}\n    pulumi stack ls" if "stack" in words.partition(":")[0] else words)
    return done.stdout
