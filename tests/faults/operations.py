"""What is disturbed: the operations of a stack, each begun at once and awaited within a bound."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from sandbox import acme
from sandbox.testing import (
    Command,
    CommandError,
    a_records,
    client,
    eventually,
    get,
    items,
    kubectl,
    live,
    names,
    renew,
)
from tests.faults.invariants import Ended
from tests.faults.watching import Watch
from tests.sandbox.stack import PROJECT, Stack

ISTIO = "istio-system"
NAME = "faults"
SECRET = "faults-certs"
ISSUER = "letsencrypt-staging-istio"
_STEPS = "certificates,certificaterequests,orders,challenges"
_DEFINITIONS = "customresourcedefinitions"
SHOP = {"host": "shop.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
_OTHER = {"service": "api", "namespace": "api", "port": 8080}
_OTHERS = ".others.sandbox.test"
"""How the names of other hosts end."""
PASSPHRASE = "a passphrase of the faults' own"
PATIENCE = 60
"""Seconds that an `up` waits for the ACME server, and a renewal to be served, before they are taken for failed."""
BOUND = 180.0
"""Seconds for any one command: what the stack waits for at most, twice, and the installation of cert-manager."""


class Project:
    """The stack that is disturbed, and what clients see of it.

    Its config is in a folder, and its state where all stacks of the sandbox have theirs, or in a folder of its own.
    """

    def __init__(self, folder: Path, state: Path | None = None) -> None:
        backend = {"PULUMI_BACKEND_URL": f"file://{state}"} if state else {}
        self.stack = Stack(NAME, folder, environment={"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE, **backend})
        self.stack.configure(
            acme={"timeout": PATIENCE}, ingress={"timeout": 30}, certificate={"secretName": SECRET}, hosts=[SHOP]
        )
        address = live("service", "istio-ingressgateway", ISTIO)["status"]["loadBalancer"]["ingress"][0]["ip"]
        self.watch = Watch(str(SHOP["host"]), address, client.trusting(acme.STAGING))
        self._ups = 0
        self.printed: list[tuple[str, str]] = []
        """What each command was, and what it printed, since the last look."""

    def start(self, operation: str) -> Started:
        """Begin an operation."""
        stack = self.stack
        if operation == "renewal":
            serial = self.watch.serial
            renew(SECRET)
            return Renewal(self, serial)
        shop, *others = stack.get("hosts")
        if operation == "up":  # another host in place of the last: another certificate, records, routes
            # Each is a new one. Of names that have been proven, Pebble takes one in a hundred without a challenge.
            self._ups += 1
            stack.configure(hosts=[shop, _OTHER | {"host": f"h{self._ups}{_OTHERS}"}])
        if operation == "change":  # one object of Istio's
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
        """Run the `up` that puts right what a fault has left; it looks at what there is, as after any accident."""
        return self.run("up", "--yes", "--skip-preview", "--refresh")

    def compare(self) -> Ended:
        """Preview what an `up` would do, looking at what there is; it fails where there is something to do."""
        return self.run("preview", "--diff", "--refresh", "--expect-no-changes")

    def tlsctl(self, command: str, *options: str) -> Ended:
        """Run a command of `tlsctl` on the stack."""
        began, stack = time.monotonic(), self.stack
        argv = ["python", "-m", "tlsctl", command, "--stack", stack.name, "--config-file", str(stack.file), *options]
        try:
            done = subprocess.run(
                argv, cwd=PROJECT, env=stack.environment, capture_output=True, text=True, timeout=BOUND, check=False
            )
            code, printed = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired as error:
            code, printed = 1, f"killed: {error}"
        self.printed.append((f"what {command} printed", printed))
        return Ended(command, code, printed, time.monotonic() - began, BOUND)

    def trust_again(self) -> None:
        """Trust the root that the ACME server made when it was started again, beside those from before."""
        self.watch.trust.load_verify_locations(cadata=acme.STAGING.root())

    def register_anew(self) -> None:
        """Give the issuer another account, as `verify` says to where the ACME server has forgotten the one it had."""
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
        if any(each["type"] == "Ready" and each["status"] != "True" for each in conditions) or any(
            each["type"] == "Issuing" for each in conditions
        ):
            renew(SECRET)

    def left(self) -> list[str]:
        """Return what a stack has left in the cluster and in the zone.

        Not counted is what stays on purpose: cert-manager's definitions, without which every Certificate of the cluster
        would go, and the Secrets that it wrote.
        """
        left = [f"namespace {each}" for each in names("namespaces") & {"cert-manager"}]
        for kind in ("gateways.networking.istio.io", "virtualservices.networking.istio.io", "envoyfilters"):
            left += [f"{kind} {each}" for each in names(kind)]
        return left + [f"record {each}" for each in a_records() if each == SHOP["host"] or each.endswith(_OTHERS)]

    def secrets(self) -> list[tuple[str, str]]:
        """Return what nobody may read: a line of each private key, as PEM and as the API has it, and the passphrase."""
        found = [("the passphrase", PASSPHRASE)]
        for secret in items("secrets"):
            # cert-manager keeps its accounts' keys under the same entry.
            if "tls.key" in secret.get("data", {}):
                found += _shown_as(f"the key of {secret['metadata']['name']}", secret["data"]["tls.key"])
        return found

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Have the client go on asking while the block runs; what it saw before is forgotten."""
        self.watch.samples.clear()
        with self.watch.watching():
            yield


class Started:
    """An operation that has begun."""

    command: Command | None = None

    def over(self) -> bool:
        """Whether it has ended."""
        raise NotImplementedError

    def end(self) -> Ended:
        """Wait until it has ended; one that does not is killed, and over its bound."""
        raise NotImplementedError


class Running(Started):
    """A command of Pulumi."""

    def __init__(self, project: Project, what: str, command: Command) -> None:
        self._project, self._what, self.command = project, what, command
        self._began = time.monotonic()

    def over(self) -> bool:
        """Whether it has ended."""
        assert self.command is not None
        return not self.command.runs

    def end(self) -> Ended:
        """Wait for its end."""
        assert self.command is not None
        try:
            code = self.command.wait(BOUND)
        except CommandError:
            code = 1
        seconds = time.monotonic() - self._began
        printed = self.command.printed
        self.command.__exit__(None, None, None)  # It was begun in one place and has ended in another.
        self._project.printed.append((f"what {self._what} printed", printed))
        return Ended(self._what, code, printed, seconds, BOUND)


class Reissue(Started):
    """What cert-manager does by itself, until its certificate is served; later than `PATIENCE`, it has failed."""

    name: ClassVar[str]

    def __init__(self, project: Project) -> None:
        self._project, self._began = project, time.monotonic()

    def end(self) -> Ended:
        """Wait for its end."""
        while not (served := self.over()) and time.monotonic() - self._began < PATIENCE:
            time.sleep(0.2)
        told = "" if served else "\n".join(map(_state, items(_STEPS, ISTIO)))
        return Ended(self.name, 0 if served else 1, told, time.monotonic() - self._began, PATIENCE + 20.0)


class Renewal(Reissue):
    """A renewal that cert-manager was asked for."""

    name = "renewal"

    def __init__(self, project: Project, serial: int | None) -> None:
        super().__init__(project)
        self._serial = serial

    def over(self) -> bool:
        """Whether it has ended."""
        serial = self._project.watch.serial
        return serial is not None and serial != self._serial


def _state(step: Mapping[str, Any]) -> str:
    """Return what an object of cert-manager says of itself, on one line."""
    status = step.get("status", {})
    said = [f"{each['type']}={each['status']}: {each.get('message', '')}" for each in status.get("conditions", [])]
    said += [str(status[each]) for each in ("state", "reason") if status.get(each)]
    return f"{step['kind']} {step['metadata']['name']}: {'; '.join(said)}"


def _account(issuer: Mapping[str, Any]) -> str:
    return str(issuer.get("status", {}).get("acme", {}).get("uri", ""))


def _shown_as(what: str, encoded: str) -> list[tuple[str, str]]:
    lines = [each for each in base64.b64decode(encoded).decode().splitlines() if not each.startswith("---")]
    return [(what, max(lines, key=len)), (f"{what}, encoded", encoded[60:140])]
