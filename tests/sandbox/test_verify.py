"""`tlsctl verify` on a live stack: all is ok after `up`; each link, broken, is one problem, and fixed as it says.

A fix is run where it changes something, so that it is known to work.
"""

import base64
import datetime
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox import paths
from sandbox.testing import cloud_dns, eventually, get, kubectl
from tests.sandbox.stack import PROJECT, Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
SECRET = "istio-ingressgateway-certs"
SHOP, API = "shop.sandbox.test", "api.sandbox.test"
ELSEWHERE = "203.0.113.99"
TIMEOUT = 180


@dataclass(frozen=True)
class Verify:
    """The command, on the module's stack."""

    stack: Stack
    ca: Path

    def run(self, *options: str, ca: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """Run it to its end; the exit code is the caller's to judge."""
        stack = ["--stack", self.stack.name, "--config-file", str(self.stack.file)]
        argv = [sys.executable, "-m", "tlsctl", "verify", *stack, "--ca", str(ca or self.ca), *options]
        return subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT, check=False)

    def report(self, *options: str, ca: Path | None = None) -> dict[str, Any]:
        """What it says to machines."""
        done = self.run("--json", *options, ca=ca)
        assert done.stdout, f"it prints a report whatever it sees: {done.stderr}"
        report: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if report["ok"] else 1), "the exit code is 0 only if all is ok"
        return report

    def names(self, check: str, *subjects: str, ca: Path | None = None) -> dict[str, Any]:
        """Wait for it to name one problem and no other: what was broken takes a moment to reach the gateway."""
        problems: list[dict[str, Any]] = eventually(
            f"verify names {check} of {', '.join(subjects)}, and nothing else",
            lambda: self.report(ca=ca)["problems"],
            until=lambda seen: [(each["check"], each["subjects"]) for each in seen] == [(check, list(subjects))],
        )
        return problems[0]

    def fix(self, problem: dict[str, Any]) -> None:
        """Do what the problem's fix says, and see that all is ok again."""
        argv = shlex.split(problem["fix"][-1])
        if argv[:2] == ["pulumi", "up"]:
            # Nobody is there to be asked.
            argv += ["--yes", "--skip-preview", "--non-interactive"]
        subprocess.run(argv, cwd=PROJECT, check=True, capture_output=True, timeout=TIMEOUT)
        self.is_ok()

    def is_ok(self) -> None:
        """Wait with --watch until all is ok."""
        report = self.report("--watch", "--timeout", "120")
        assert report["ok"], f"all is ok again: {json.dumps(report['problems'], indent=1)}"


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verify]:
    """A stack of its own, up."""
    with Stack("verify", tmp_path_factory.mktemp("stacks")) as stack:
        stack.up()
        verify = Verify(stack, paths.RUN / "acme" / "staging-root.pem")
        verify.is_ok()
        yield verify


@contextmanager
def cert_manager_stopped() -> Iterator[None]:
    """Nobody repairs Secrets while the block runs."""
    scale = ("--namespace", "cert-manager", "scale", "deployment", "cert-manager")
    kubectl(*scale, "--replicas=0")
    try:
        pods = ("--namespace", "cert-manager", "get", "pods", "--output=name")
        component = "--selector=app.kubernetes.io/component=controller"
        eventually("cert-manager's controller has ended", lambda: not kubectl(*pods, component).strip())
        yield
    finally:
        kubectl(*scale, "--replicas=1")
        kubectl("--namespace", "cert-manager", "rollout", "status", "deployment", "cert-manager", "--timeout=60s")


def edit(kind: str, name: str, change: Callable[[Any], object], namespace: str | None = None) -> None:
    """Change the spec of an object by hand, as someone with kubectl would."""
    found = get(kind, name, namespace)
    assert found, f"{kind} {name} exists"
    change(found["spec"])
    patch = json.dumps([{"op": "replace", "path": "/spec", "value": found["spec"]}])
    where = ["--namespace", namespace] if namespace else []
    kubectl("patch", kind, name, *where, "--type=json", f"--patch={patch}")


def send_elsewhere(host: str) -> None:
    """Point a host's record at another address."""
    record = {"name": f"{host}.", "type": "A", "ttl": 5, "rrdatas": [ELSEWHERE]}
    cloud_dns("PATCH", f"/{host}./A", record)


def expired_certificate(folder: Path) -> tuple[Path, dict[str, str]]:
    """A root of our own, and a Secret's data with a certificate under it whose time is over."""
    now = datetime.datetime.now(datetime.UTC)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("a root of the tests", SHOP)
    )
    builder = x509.CertificateBuilder().issuer_name(root_name)
    begin, end = now - datetime.timedelta(days=90), now - datetime.timedelta(days=1)
    root = (
        builder.subject_name(root_name).public_key(root_key.public_key()).serial_number(1)
        .not_valid_before(begin).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(root_key, hashes.SHA256())
    )  # fmt: skip
    leaf = (
        builder.subject_name(name).public_key(key.public_key()).serial_number(2)
        .not_valid_before(begin).not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SHOP), x509.DNSName(API)]), critical=False)
        .sign(root_key, hashes.SHA256())
    )  # fmt: skip
    file = folder / "root.pem"
    file.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    data = {"tls.crt": leaf.public_bytes(serialization.Encoding.PEM), "tls.key": private}
    return file, {entry: base64.b64encode(pem).decode() for entry, pem in data.items()}


def test_all_is_ok_after_up(verify: Verify) -> None:
    report = verify.report()
    failed = [each for each in report["checks"] if each["state"] == "failed"]
    assert report["ok"], f"nothing fails: {failed}"
    skipped = {each["check"] for each in report["checks"] if each["state"] == "skipped"}
    assert skipped == {"hsts"}, "and everything is checked but HSTS, which the stack does not configure"
    assert {each["subject"] for each in report["checks"]} == {"ingress", SECRET, SHOP, API}, "for each host"


def test_people_see_a_line_for_each_check(verify: Verify) -> None:
    done = verify.run()
    assert done.returncode == 0, f"all is ok: {done.stdout}{done.stderr}"
    assert "✓ certificate" in done.stdout, "what was checked is listed"
    assert "All is ok:" in done.stdout.splitlines()[-1], "and the last line is the verdict"


def test_the_record(verify: Verify) -> None:
    send_elsewhere(SHOP)
    problem = verify.names("record", SHOP)
    assert ELSEWHERE in problem["what"], "it says where the record points"
    verify.fix(problem)


def test_the_port_of_the_service(verify: Verify) -> None:
    def without_https(spec: Any) -> None:
        spec["ports"] = [port for port in spec["ports"] if port["port"] != 443]

    edit("service", "istio-ingressgateway", without_https, ISTIO)
    problem = verify.names("service", "ingress")
    assert "has no port 443" in problem["what"], "it says which port"
    verify.fix(problem)


def test_the_secret(verify: Verify) -> None:
    with cert_manager_stopped():
        kubectl("--namespace", ISTIO, "delete", "secret", SECRET)
        problem = verify.names("secret", SECRET)
        assert problem["fix"][0] == "kubectl --namespace cert-manager get pods", "cert-manager would have repaired it"
    verify.is_ok()


def test_the_issuer(verify: Verify) -> None:
    edit(
        "clusterissuer",
        "letsencrypt-staging-istio",
        lambda spec: spec["acme"].update(server="https://acme-staging.sandbox.test:1/dir"),
    )
    problem = verify.names("issuer", "ingress")
    assert ":1/dir" in problem["what"], "it says which server was asked"
    verify.fix(problem)


def test_the_host_of_the_gateway(verify: Verify) -> None:
    edit("gateway", "tls-verify", lambda spec: spec["servers"][0].update(hosts=[API]), ISTIO)
    problem = verify.names("gateway", SHOP)
    assert "tls-verify" in problem["what"], "it says which Gateway"
    verify.fix(problem)


def test_a_certificate_on_two_servers(verify: Verify) -> None:
    def split(spec: Any) -> None:
        server = spec["servers"][0]
        other = {**server, "hosts": [API], "port": {**server["port"], "name": "https-api"}}
        spec["servers"] = [{**server, "hosts": [SHOP]}, other]

    edit("gateway", "tls-verify", split, ISTIO)
    problem = verify.names("coalescing", API)
    assert f"over the connection of {SHOP}: / is answered 404" in problem["what"], "as a browser would see it"
    verify.fix(problem)


def test_an_expired_certificate(verify: Verify, tmp_path: Path) -> None:
    root, data = expired_certificate(tmp_path)
    with cert_manager_stopped():
        kubectl("--namespace", ISTIO, "patch", "secret", SECRET, "--patch", json.dumps({"data": data}))
        problem = verify.names("expiry", SHOP, API, ca=root)
        assert problem["what"].startswith("expired on "), "it says since when"
        assert problem["fix"][-1] == f"cmctl renew --namespace {ISTIO} {SECRET}", "and how it is renewed"
    verify.is_ok()


def test_a_weak_tls_version(verify: Verify) -> None:
    def weaken(spec: Any) -> None:
        # Without a suite of its time, an old version is allowed and never agreed on.
        suites = spec["servers"][0]["tls"]["cipherSuites"]
        spec["servers"][0]["tls"].update(minProtocolVersion="TLSV1_0", cipherSuites=[*suites, "ECDHE-ECDSA-AES128-SHA"])

    edit("gateway", "tls-verify", weaken, ISTIO)
    problem = verify.names("protocols", SHOP, API)
    assert "TLSv1, TLSv1.1" in problem["what"], "it says which versions"
    verify.fix(problem)


def test_what_follows_from_a_wrong_record_is_one_problem(verify: Verify) -> None:
    send_elsewhere(SHOP)
    kubectl("--namespace", ISTIO, "delete", "secret", SECRET)

    def unissued() -> bool:
        results = verify.report()["checks"]
        return {each["check"] for each in results if each["state"] == "failed"} >= {"certificate", "secret"}

    eventually("the new certificate cannot be signed", unissued)
    problem = verify.names("record", SHOP)

    def words() -> str:
        return str(next(each["detail"] for each in verify.report()["checks"] if each["check"] == "certificate"))

    # cert-manager takes one challenge after the other.
    told = "the Certificate's line has the words of its challenge"
    eventually(told, words, until=lambda each: "Challenge for shop.sandbox.test" in each)
    verify.fix(problem)
