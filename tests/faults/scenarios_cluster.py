"""Scenarios of the state, the Secret, cert-manager's webhook, and certificates that have to be renewed or expire."""

import base64
import datetime
import errno
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from sandbox.acme import MINUTES, STAGING
from sandbox.pki import Authority
from sandbox.testing import ISTIO, eventually, get, kubectl, live, patch, renew, stopped
from tests.faults import invariants
from tests.faults.invariants import Ended, Outage
from tests.faults.operations import SECRET, Reissue, renewal
from tests.faults.stage import Stage, scenario
from tests.faults.victims import processes, send, wait_for
from tests.sandbox.stack import SHOP

_LEFT = datetime.timedelta(seconds=35)
"""The least time that a certificate of 75 s must have left: cert-manager renews it when 25 s are left."""


@scenario(
    "two-ups",
    what="a second `up` while the first one runs",
    ends="the first goes through; the second fails: `the stack is currently locked by 1 lock(s)`",
    fixed_by="the next `up`",
    cause=r"the stack is currently locked by 1 lock",
)
def two_ups(stage: Stage) -> Iterator[Ended]:
    first = stage.start()
    eventually("the first `up` holds the lock", lambda: list(stage.state.glob(".pulumi/locks/**/*.json")), 30)
    with stage.fault():
        second = stage.project.run("up", "--yes", "--skip-preview")
        stage.others.append(first.end())
    yield second


@scenario(
    "disk-full",
    what="the disk under the state file fills up while an `up` waits for the certificate, and has room again after it",
    ends="fails: `no space left on device`",
    fixed_by="the next `up`",
    cause=r"no space left on device",
)
def disk_full(stage: Stage) -> Iterator[Ended]:
    filler, before = stage.state / "filler", live("certificate", SECRET, ISTIO)["spec"]
    started = stage.start()
    eventually("another certificate is asked for", lambda: live("certificate", SECRET, ISTIO)["spec"] != before)
    with stage.fault():
        try:
            _fill(filler)
            ended = started.end()
        finally:
            filler.unlink()
    yield ended


def _fill(path: Path) -> None:
    """Write a file until there is no room for another byte."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for size in (1 << 16, 1):
            try:
                while True:
                    os.write(descriptor, b"\0" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    finally:
        os.close(descriptor)


def _is_repaired(stage: Stage) -> bool:
    """Tell whether the Secret holds a certificate of the stack with its key, and the gateway serves it."""
    held = _held_certificate()
    return held is not None and held.serial_number == stage.project.watch.serial


def _held_certificate() -> x509.Certificate | None:
    """Return the certificate in the stack's Secret if its key is there with it and it has the host's name."""
    data = (get("secret", SECRET, ISTIO) or {}).get("data", {})
    if not data.get("tls.crt") or not data.get("tls.key"):
        return None
    certificate = x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))
    key = load_pem_private_key(base64.b64decode(data["tls.key"]), None)
    fits = key.public_key() == certificate.public_key() and SHOP["host"] in invariants.names_of(certificate)
    return certificate if fits else None


def _repaired(stage: Stage, damage: Callable[[], object], *, is_served: bool = False) -> Ended:
    """Damage the Secret while an `up` changes a route; return how cert-manager repaired it."""
    started = stage.start("change")
    wait_for(stage.dice.uniform(0, 3), started.over)
    began = time.monotonic()
    with stage.fault():
        damage()
    ended = Reissue("repair", lambda: _is_repaired(stage)).end()
    stage.done = time.monotonic()
    stage.outage = Outage(began, stage.done) if is_served else None
    stage.others.append(started.end())
    return ended


def _replace(**data: bytes) -> None:
    encoded = {f"tls.{entry}": base64.b64encode(content).decode() for entry, content in data.items()}
    patch("secret", SECRET, {"data": encoded}, ISTIO)


@scenario(
    "foreign-key",
    what="the Secret's key is replaced by one that does not fit its certificate",
    ends="clients do not notice: the gateway keeps the pair that it has; cert-manager repairs the Secret",
    operation="repair",
)
def foreign_key(stage: Stage) -> Iterator[Ended]:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    yield _repaired(stage, lambda: _replace(key=pem))


@scenario(
    "foreign-certificate",
    what="the Secret is given another name's certificate and key, by another CA",
    ends="the gateway presents it, so clients refuse it until cert-manager has repaired the Secret",
    operation="repair",
)
def foreign_certificate(stage: Stage) -> Iterator[Ended]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Authority.create(folder, "another CA").issue("other", "elsewhere.test", sans=["elsewhere.test"])
        key, certificate = (folder / "other.key").read_bytes(), (folder / "other.crt").read_bytes()
    yield _repaired(stage, lambda: _replace(key=key, crt=certificate), is_served=True)


@scenario(
    "wrong-namespace",
    what="the Secret is moved to the application's namespace, from where the gateway does not read it",
    ends="clients do not notice: the gateway keeps what it has; cert-manager makes the Secret again",
    operation="repair",
)
def wrong_namespace(stage: Stage) -> Iterator[Ended]:
    secret, namespace = live("secret", SECRET, ISTIO), str(SHOP["namespace"])
    secret["metadata"] = {"name": SECRET, "namespace": namespace}
    stage.cleanup.callback(kubectl, "delete", "secret", SECRET, "-n", namespace, "--ignore-not-found")

    def move() -> None:
        kubectl("create", manifest=secret)
        kubectl("delete", "secret", SECRET, "-n", ISTIO)

    yield _repaired(stage, move)


@scenario(
    "slow-webhook",
    what="cert-manager's webhook answers after seconds: its process is stopped by SIGSTOP, and continues",
    ends="goes through, later",
)
def slow_webhook(stage: Stage) -> Iterator[Ended]:
    pids = processes("cert-manager-webhook")
    assert pids, "the webhook runs"
    with stage.fault():
        send(pids, signal.SIGSTOP)
        try:
            started = stage.start()
            wait_for(stage.dice.uniform(8, 12), started.over)
            too_early = started.over()
        finally:
            send(pids, signal.SIGCONT)
    if too_early:
        stage.broken.append("the `up` was over before the webhook answered: it did not meet the fault")
    yield started.end()


def _certificate_of_minutes(stage: Stage) -> None:
    """Have a certificate signed that is valid for little more than a minute."""
    project = stage.project
    (profile,) = MINUTES
    if project.stack.get("acme")["profile"] != profile:
        project.stack.configure(acme={"profile": profile})
        up = project.run("up", "--yes", "--skip-preview")
        assert up.code == 0, up.printed
    elif (held := _held_certificate()) and held.not_valid_after_utc - _now() > _LEFT:
        return  # The scenario before has left one.
    renewed = renewal(project, project.watch.serial)
    renew(SECRET)
    assert renewed.end().code == 0, "a certificate of minutes is served"


def _renewed(stage: Stage, time_passes: Callable[[Mapping[str, str]], None]) -> tuple[Ended, Mapping[str, str]]:
    """Take cert-manager away while a time passes; return how the renewal ended, and the Certificate's old status."""
    certificate, serial = live("certificate", SECRET, ISTIO)["status"], stage.project.watch.serial
    with stage.fault(), stopped("cert-manager", "cert-manager"):
        time_passes(certificate)
    return renewal(stage.project, serial).end(), certificate


@scenario(
    "past-renewal",
    what="cert-manager is away at the time of the renewal, with a certificate of 75 s",
    ends="a renewal; clients do not notice",
    operation="renewal",
    prepare=_certificate_of_minutes,
)
def past_renewal(stage: Stage) -> Iterator[Ended]:
    ended, _ = _renewed(stage, lambda certificate: _wait_until(certificate["renewalTime"]))
    yield ended


@scenario(
    "past-expiry",
    what="cert-manager is away until the certificate has expired, with a certificate of 75 s",
    ends="a renewal; until then no client can be served, and `verify` says why",
    operation="renewal",
    prepare=_certificate_of_minutes,
)
def past_expiry(stage: Stage) -> Iterator[Ended]:
    def expire(certificate: Mapping[str, str]) -> None:
        _wait_until(certificate["notAfter"])
        verified = stage.project.tlsctl("verify", "--ca", str(STAGING.root_file))
        stage.broken += invariants.cause_is_named([verified], r"expiry +expired on")
        if not verified.code:
            stage.broken.append("verify did not report the expired certificate")

    ended, certificate = _renewed(stage, expire)
    since = datetime.datetime.fromisoformat(certificate["notAfter"]).timestamp() - time.time()
    stage.outage = Outage(time.monotonic() + since - 1, time.monotonic())
    yield ended


def _wait_until(timestamp: str) -> None:
    moment = datetime.datetime.fromisoformat(timestamp)
    eventually(f"it is {timestamp}", lambda: _now() > moment, 90)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
