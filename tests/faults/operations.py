"""What is disturbed: the operations of a stack, started without waiting, and awaited within a bound."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox import acme
from sandbox.testing import (
    ISTIO,
    Command,
    CommandError,
    a_records,
    client,
    eventually,
    get,
    ingress_address,
    items,
    kubectl,
    names,
    renew,
)
from tests.faults import invariants
from tests.faults.invariants import NO_CAUSE, Broken, Ended
from tests.faults.watching import Watch
from tests.sandbox.stack import API, ISSUER, SHOP, Stack

NAME = "faults"
SECRET = "faults-certs"
_STEPS = "certificates,certificaterequests,orders,challenges"
_DEFINITIONS = "customresourcedefinitions"
_OTHERS = ".others.sandbox.test"
"""The domain of the other hosts."""
PASSPHRASE = "a passphrase of the faults' own"
PATIENCE = 60
"""Seconds that an `up` waits for the ACME server, and that a renewal may take to be served."""
BOUND = 180.0
"""Seconds for one command: twice what the stack waits for at most, and the installation of cert-manager."""


class Project:
    """The stack that is disturbed, and a client of it.

    Attributes:
        stack: The stack.
        watch: The client.
        printed: The name and the output of each command since the last look.
    """

    def __init__(self, folder: Path, state: Path | None = None) -> None:
        backend = {"PULUMI_BACKEND_URL": f"file://{state}"} if state else {}
        self.stack = Stack(NAME, folder, environment={"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE, **backend})
        self.stack.configure(
            acme={"timeout": PATIENCE}, ingress={"timeout": 30}, certificate={"secretName": SECRET}, hosts=[SHOP]
        )
        address = ingress_address()
        assert address, "the gateway has an address"
        self.watch = Watch(str(SHOP["host"]), address, client.trusting(acme.STAGING))
        self._ups = 0
        self.printed: list[tuple[str, str]] = []

    def start(self, operation: str) -> Started:
        """Begin an operation."""
        stack = self.stack
        if operation == "renewal":
            serial = self.watch.serial
            renew(SECRET)
            return renewal(self, serial)
        shop, *others = stack.get("hosts")
        if operation == "up":  # Replaces the last host: another certificate, other records and routes.
            # Pebble skips the challenge of one in a hundred names that were proven before, so the name is a new one.
            self._ups += 1
            stack.configure(hosts=[shop, API | {"host": f"h{self._ups}{_OTHERS}"}])
        if operation == "change":  # Changes one VirtualService.
            headers = {} if "responseHeaders" in shop else {"responseHeaders": {"x-round": "odd"}}
            stack.configure(hosts=[SHOP | headers, *others])
        arguments = {
            "preview": ("preview", "--diff", "--refresh"),
            "destroy": ("destroy", "--yes", "--skip-preview"),
        }.get(operation, ("up", "--yes", "--skip-preview"))
        return Running(self, operation, stack.start(*arguments))

    def run(self, *arguments: str) -> Ended:
        """Run a command of Pulumi to its end."""
        with self.stack.start(*arguments) as command:
            return Running(self, arguments[0], command).end()

    def fix(self) -> Ended:
        """Run the `up` that repairs what a fault has left; it reads the cluster, as after any accident."""
        return self.run("up", "--yes", "--skip-preview", "--refresh")

    def compare(self) -> Ended:
        """Preview against the cluster; it fails where an `up` has something to do."""
        return self.run("preview", "--diff", "--refresh", "--expect-no-changes")

    def tlsctl(self, command: str, *options: str) -> Ended:
        """Run a command of `tlsctl` on the stack."""
        began = time.monotonic()
        done = self.stack.tlsctl(command, *options)
        self.printed.append((f"the output of {command}", done.stdout + done.stderr))
        return Ended(command, done.returncode, done.stdout + done.stderr, time.monotonic() - began, BOUND)

    def trust_new_root(self) -> None:
        """Trust the root that the ACME server made at its last start, beside the earlier ones."""
        self.watch.trust.load_verify_locations(cadata=acme.STAGING.root())

    def register_again(self) -> None:
        """Give the issuer another account, as `verify` advises when the ACME server has forgotten it."""
        issuer = get("clusterissuer", ISSUER) if "clusterissuers.cert-manager.io" in names(_DEFINITIONS) else None
        if issuer is None:
            return
        before = _account(issuer)
        kubectl(
            "delete", "secret", issuer["spec"]["acme"]["privateKeySecretRef"]["name"],
            "--namespace=cert-manager", "--ignore-not-found",
        )  # fmt: skip
        eventually("there is another account", lambda: _account(get("clusterissuer", ISSUER) or {}) not in ("", before))
        conditions = (get("certificate", SECRET, ISTIO) or {}).get("status", {}).get("conditions", [])
        states = {(condition["type"], condition["status"]) for condition in conditions}
        if ("Ready", "False") in states or ("Ready", "Unknown") in states or "Issuing" in {kind for kind, _ in states}:
            renew(SECRET)

    def emptied(self, destroyed: Ended) -> Broken:
        """Return what a destroy has left, or that it failed."""
        broken = invariants.cause_is_named([destroyed], NO_CAUSE) + invariants.nothing_is_left(self._left())
        # cert-manager leaves the Secret on purpose; the next certificate has to be another one.
        kubectl("delete", "secret", SECRET, "--namespace", ISTIO, "--ignore-not-found")
        return broken

    def _left(self) -> list[str]:
        """Return what a stack has left in the cluster and in the zone.

        cert-manager's definitions and the Secrets that it wrote stay on purpose, and do not count.
        """
        left = [f"namespace {name}" for name in names("namespaces") & {"cert-manager"}]
        for kind in ("gateways.networking.istio.io", "virtualservices.networking.istio.io", "envoyfilters"):
            left += [f"{kind} {name}" for name in names(kind)]
        return left + [f"record {name}" for name in a_records() if name == SHOP["host"] or name.endswith(_OTHERS)]

    def secrets(self) -> list[tuple[str, str]]:
        """Return what nobody may read: the passphrase, and a line of each private key, as PEM and as the API has it."""
        secrets = [("the passphrase", PASSPHRASE)]
        for secret in items("secrets"):
            # cert-manager keeps its accounts' keys under the same entry.
            if "tls.key" in secret.get("data", {}):
                secrets += _texts_of(f"the key of {secret['metadata']['name']}", secret["data"]["tls.key"])
        return secrets


class Running:
    """A command of Pulumi that was started."""

    def __init__(self, project: Project, what: str, command: Command) -> None:
        self._project, self._what, self.command = project, what, command
        self._began = time.monotonic()

    def over(self) -> bool:
        """Whether it has ended."""
        return not self.command.runs

    def end(self) -> Ended:
        """Wait for its end."""
        try:
            code = self.command.wait(BOUND)
        except CommandError:
            code = 1
        seconds = time.monotonic() - self._began
        printed = self.command.printed
        self.command.__exit__(None, None, None)  # It was started outside of a block.
        self._project.printed.append((f"the output of {self._what}", printed))
        return Ended(self._what, code, printed, seconds, BOUND)


class Reissue:
    """A certificate that cert-manager issues without Pulumi, until it is served; after `PATIENCE` it has failed.

    Attributes:
        over: Whether it is served.
    """

    command = None

    def __init__(self, what: str, over: Callable[[], bool]) -> None:
        self.over = over
        self._what, self._began = what, time.monotonic()

    def end(self) -> Ended:
        """Wait for its end."""
        while not (served := self.over()) and time.monotonic() - self._began < PATIENCE:
            time.sleep(0.2)
        printed = "" if served else "\n".join(map(_state, items(_STEPS, ISTIO)))
        return Ended(self._what, 0 if served else 1, printed, time.monotonic() - self._began, PATIENCE + 20.0)


Started = Running | Reissue
"""An operation that was started."""


def renewal(project: Project, serial: int | None) -> Reissue:
    """Await another certificate than the one with this serial number."""
    return Reissue("renewal", lambda: project.watch.serial not in (None, serial))


def _state(step: Mapping[str, Any]) -> str:
    """Return the state of an object of cert-manager on one line."""
    status = step.get("status", {})
    parts = [f"{cond['type']}={cond['status']}: {cond.get('message', '')}" for cond in status.get("conditions", [])]
    parts += [str(status[key]) for key in ("state", "reason") if status.get(key)]
    return f"{step['kind']} {step['metadata']['name']}: {'; '.join(parts)}"


def _account(issuer: Mapping[str, Any]) -> str:
    return str(issuer.get("status", {}).get("acme", {}).get("uri", ""))


def _texts_of(what: str, encoded: str) -> list[tuple[str, str]]:
    lines = [line for line in base64.b64decode(encoded).decode().splitlines() if not line.startswith("---")]
    return [(what, max(lines, key=len)), (f"{what}, encoded", encoded[60:140])]
