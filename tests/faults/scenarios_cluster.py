"""Scenarios of the cluster: the Secret, cert-manager's webhook, and certificates whose time has come."""

from __future__ import annotations

import base64
import datetime
import json
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from sandbox.acme import MINUTES, STAGING
from sandbox.pki import Authority
from sandbox.testing import eventually, get, kubectl, live, renew
from tests.faults import invariants
from tests.faults.invariants import Ended, Outage
from tests.faults.operations import ISTIO, SECRET, SHOP, Reissue, Renewal
from tests.faults.stage import Scenario, Stage
from tests.faults.victims import processes, send, wait_for

_LEFT = datetime.timedelta(seconds=35)
"""Of a certificate of 75 s, to begin with: cert-manager renews it when 25 are left."""
_CERT_MANAGER = ("--namespace=cert-manager", "deployment/cert-manager")


class Repair(Reissue):
    """cert-manager makes the Secret anew by itself."""

    name = "repair"

    def over(self) -> bool:
        """Whether the Secret holds a certificate of the stack with its key, and the gateway serves it."""
        held = held_certificate(ISTIO)
        return held is not None and held.serial_number == self._project.watch.serial


def held_certificate(namespace: str) -> x509.Certificate | None:
    """Return the certificate in the stack's Secret if its key is there with it, and the host is among its names."""
    data = (get("secret", SECRET, namespace) or {}).get("data", {})
    if not data.get("tls.crt") or not data.get("tls.key"):
        return None
    certificate = x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))
    key = load_pem_private_key(base64.b64decode(data["tls.key"]), None)
    names = invariants.names_of(certificate)
    fits = key.public_key() == certificate.public_key() and SHOP["host"] in names
    return certificate if fits else None


def repaired(stage: Stage, damage: Callable[[], object]) -> Ended:
    """Damage the Secret while an `up` changes a route; return how it was repaired."""
    started = stage.start("change")
    wait_for(stage.dice.uniform(0, 3), started.over)
    with stage.fault():
        damage()
    ended = Repair(stage.project).end()
    stage.done = time.monotonic()
    stage.beside.append(started.end())
    return ended


def put(key: bytes, certificate: bytes | None = None) -> None:
    """Replace the key in the Secret, and the certificate if there is one."""
    data = {"tls.key": key} | ({"tls.crt": certificate} if certificate else {})
    patch = {"data": {entry: base64.b64encode(content).decode() for entry, content in data.items()}}
    kubectl("patch", "secret", SECRET, "-n", ISTIO, "--type=merge", f"--patch={json.dumps(patch)}")


class ForeignKey(Scenario):
    """Somebody restored half a Secret."""

    name = "foreign-key"
    what = "the Secret's key is replaced by one that is not its certificate's"
    operation = "repair"

    def play(self, stage: Stage) -> Ended:
        """Replace it."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return repaired(stage, lambda: put(pem))


class ForeignCertificate(Scenario):
    """Somebody put another name's certificate into the Secret."""

    name = "foreign-certificate"
    what = "the Secret is given another name's certificate and key, by another CA"
    operation = "repair"

    def play(self, stage: Stage) -> Ended:
        """Replace both; the gateway presents what the Secret holds, so clients are refused until it is repaired."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            Authority.create(folder, "another CA").issue("other", "elsewhere.test", sans=["elsewhere.test"])
            key, certificate = (folder / "other.key").read_bytes(), (folder / "other.crt").read_bytes()
        ended = repaired(stage, lambda: put(key, certificate))
        stage.outage = Outage(stage.began, stage.over + ended.seconds)
        return ended


class WrongNamespace(Scenario):
    """Somebody moved the Secret to where the application is."""

    name = "wrong-namespace"
    what = "the Secret is moved to the application's namespace, from where the gateway does not read it"
    operation = "repair"

    def play(self, stage: Stage) -> Ended:
        """Move it."""
        secret = live("secret", SECRET, ISTIO)
        secret["metadata"] = {"name": SECRET, "namespace": SHOP["namespace"]}

        def move() -> None:
            kubectl("create", manifest=secret)
            kubectl("delete", "secret", SECRET, "-n", ISTIO)

        return repaired(stage, move)

    def clean(self, _: Stage) -> None:
        """Delete the copy."""
        kubectl("delete", "secret", SECRET, "-n", str(SHOP["namespace"]), "--ignore-not-found")


class SlowWebhook(Scenario):
    """cert-manager's webhook has no processor."""

    name = "slow-webhook"
    what = "cert-manager's webhook answers after seconds: its process is stopped by SIGSTOP, and goes on"

    def play(self, stage: Stage) -> Ended:
        """Stop it until the `up` has waited for it."""
        pids = processes("cert-manager", "webhook")
        assert pids, "the webhook runs"
        with stage.fault():
            send(pids, signal.SIGSTOP)
            try:
                started = stage.start()
                wait_for(stage.dice.uniform(8, 12), started.over)
                in_time = started.over()
            finally:
                send(pids, signal.SIGCONT)
        if in_time:
            stage.broken.append("the `up` was over before the webhook answered: it did not meet the fault")
        return started.end()


class _Clock(Scenario):
    """A time passes at which cert-manager was away."""

    operation = "renewal"

    def prepare(self, stage: Stage) -> None:
        """Have a certificate signed that is valid for little more than a minute."""
        project = stage.project
        (profile,) = MINUTES
        if project.stack.get("acme")["profile"] != profile:
            stage.configure(acme={"profile": profile})
            up = project.run("up", "--yes", "--skip-preview")
            assert up.code == 0, up.printed
        elif (found := held_certificate(ISTIO)) and found.not_valid_after_utc - _now() > _LEFT:
            return  # The last scenario has left one.
        renewed = Renewal(project, project.watch.serial)
        renew(SECRET)
        assert renewed.end().code == 0, "a certificate of minutes is served"

    def play(self, stage: Stage) -> Ended:
        """Take cert-manager away until the time has passed."""
        certificate = live("certificate", SECRET, ISTIO)["status"]
        serial = stage.project.watch.serial
        with stage.fault(), cert_manager_away():
            self.wait(stage, certificate)
        ended = Renewal(stage.project, serial).end()
        self.after(stage, certificate)
        return ended

    def wait(self, stage: Stage, certificate: Mapping[str, str], /) -> None:
        """Return when the time has passed, given the status of the Certificate."""
        raise NotImplementedError

    def after(self, stage: Stage, certificate: Mapping[str, str]) -> None:
        """Say what could not be served."""


class PastRenewal(_Clock):
    """cert-manager comes back after the renewal was due."""

    name = "past-renewal"
    what = "cert-manager is away at the time of the renewal, with a certificate of 75 s"

    def wait(self, _: Stage, certificate: Mapping[str, str]) -> None:
        """Wait for the renewal's time."""
        _pass(certificate["renewalTime"])


class PastExpiry(_Clock):
    """cert-manager comes back after the certificate has expired."""

    name = "past-expiry"
    what = "cert-manager is away until the certificate has expired, with a certificate of 75 s"

    def wait(self, stage: Stage, certificate: Mapping[str, str]) -> None:
        """Wait for the expiry, and ask `verify`, which names it."""
        _pass(certificate["notAfter"])
        told = stage.project.tlsctl("verify", "--ca", str(STAGING.root_file))
        stage.broken += invariants.cause_is_named([told], r"expiry +expired on")
        if not told.code:
            stage.broken.append("verify found nothing wrong with an expired certificate")

    def after(self, stage: Stage, certificate: Mapping[str, str]) -> None:
        """Nobody can be served with an expired certificate."""
        since = datetime.datetime.fromisoformat(certificate["notAfter"]).timestamp() - time.time()
        stage.outage = Outage(time.monotonic() + since - 1, time.monotonic())


def _pass(text: str) -> None:
    moment = datetime.datetime.fromisoformat(text)
    eventually(f"it is {text}", lambda: _now() > moment, 90)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@contextmanager
def cert_manager_away() -> Iterator[None]:
    """Nothing of cert-manager's controller runs for as long as the block does."""
    kubectl("scale", *_CERT_MANAGER, "--replicas=0")
    try:
        eventually("cert-manager is gone", lambda: not processes("cert-manager", "controller"))
        yield
    finally:
        kubectl("scale", *_CERT_MANAGER, "--replicas=1")
