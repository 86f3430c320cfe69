"""`tlsctl verify` on a live stack: all is ok after `up`, and each broken link is one problem with a fix that works."""

import base64
import datetime
import json
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.acme import PROD, STAGING
from sandbox.pki import Authority
from sandbox.testing import ISTIO, cloud_dns, eventually, kubectl, live, patch, resource, stopped
from tests.sandbox.conftest import NewStack, only_istio
from tests.sandbox.stack import PROJECT, SECRET, Stack, certificate_of

pytestmark = pytest.mark.sandbox

SHOP, API = "shop.sandbox.test", "api.sandbox.test"
CERT_MANAGER = "cert-manager"
"""Its Deployment and its namespace: it would repair Secrets."""
ELSEWHERE = "203.0.113.99"
TIMEOUT = 180
GATEWAY_API = "gateway.networking.k8s.io"

only_gateway_api = pytest.mark.parametrize("api", ["gateway"], indirect=True)
"""Marks a test of a link that only the Gateway API has."""


@dataclass
class Verify:
    """The command on the file's stack, and whether all was ok after the last fault."""

    stack: Stack
    ok: bool = False

    def names(self, check: str, *subjects: str, ca: Path = STAGING.root_file) -> dict[str, Any]:
        """Return the only problem once verify has exactly this one: a fault takes a moment to reach the gateway."""
        self.ok = False
        problems: list[dict[str, Any]] = eventually(
            f"verify names {check} of {', '.join(subjects)}, and nothing else",
            lambda: self.stack.verify(ca=ca).problems,
            until=lambda seen: [(one["check"], one["subjects"]) for one in seen] == [(check, list(subjects))],
        )
        return problems[0]

    def fix(self, problem: dict[str, Any]) -> None:
        """Run the problem's fix, and wait until all is ok again."""
        argv = shlex.split(problem["fix"][-1])
        if argv[:2] == ["pulumi", "up"]:
            argv += ["--yes", "--skip-preview", "--non-interactive"]
        subprocess.run(argv, cwd=PROJECT, check=True, capture_output=True, timeout=TIMEOUT)
        self.is_ok()

    def is_ok(self) -> None:
        """Wait with --watch until all is ok."""
        report = self.stack.verify("--watch", "--timeout", "120")
        assert report.ok, f"all is ok again: {json.dumps(report.problems, indent=1)}"
        self.ok = True


@pytest.fixture(scope="module")
def made(new_stack: NewStack) -> Stack:
    return new_stack("verify")


@pytest.fixture(scope="module")
def shared(made: Stack, api: str) -> Verify:
    made.write_in(api)
    return Verify(made)


@pytest.fixture
def verify(shared: Verify) -> Verify:
    """The command, on a stack that is up and ok, even if an earlier test failed."""
    if not shared.ok:
        shared.stack.up("--refresh")
        shared.is_ok()
    return shared


def edit(kind: str, name: str, change: Callable[[Any], object], namespace: str | None = None) -> None:
    """Change the spec of an object by hand."""
    spec = live(kind, name, namespace)["spec"]
    change(spec)
    patch(kind, name, [{"op": "replace", "path": "/spec", "value": spec}], namespace)


def expired_certificate(folder: Path) -> tuple[Path, dict[str, str]]:
    """Return the file of a root, and a Secret's data with a certificate of it that has expired."""
    authority = Authority.create(folder, "expired-ca")
    now, key = datetime.datetime.now(datetime.UTC), ec.generate_private_key(ec.SECP256R1())
    hosts = x509.SubjectAlternativeName([x509.DNSName(SHOP), x509.DNSName(API)])
    certificate = (
        x509.CertificateBuilder(authority.certificate.subject, x509.Name([]), key.public_key(), 2)
        .not_valid_before(now - datetime.timedelta(days=90)).not_valid_after(now - datetime.timedelta(days=1))
        .add_extension(hosts, critical=True).sign(authority.key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    data = {"tls.crt": certificate.public_bytes(pem), "tls.key": private}
    return folder / "ca.crt", {entry: base64.b64encode(content).decode() for entry, content in data.items()}


def test_all_is_ok_after_up(verify: Verify) -> None:
    report = verify.stack.verify()
    failed = [result for result in report.checks if result["state"] == "failed"]
    assert report.ok, f"nothing fails: {failed}"
    skipped = {result["check"] for result in report.checks if result["state"] == "skipped"}
    assert skipped == {"hsts"}, "everything is checked but HSTS, which the stack does not configure"
    certificates = {certificate_of(host) for host in (SHOP, API)}
    assert {result["subject"] for result in report.checks} == {"ingress", *certificates, SHOP, API}, "for each host"
    untrusted = verify.stack.verify(ca=PROD.root_file).checks
    assert {(one["check"], one["subject"]) for one in untrusted if one["state"] == "failed"} == {
        ("chain", SHOP), ("chain", API)
    }, "a certificate that is not trusted is examined all the same"  # fmt: skip
    done = verify.stack.tlsctl("verify", "--ca", str(STAGING.root_file))
    assert "All is ok:" in done.stdout.splitlines()[-1], "people see the verdict on the last line"


def test_the_port_of_the_service(verify: Verify) -> None:
    def without_https(spec: Any) -> None:
        spec["ports"] = [port for port in spec["ports"] if port["port"] != 443]

    edit("service", "istio-ingressgateway", without_https, ISTIO)
    problem = verify.names("service", "ingress")
    assert "has no port 443" in problem["what"], "it says which port"
    verify.fix(problem)


def test_the_secret(verify: Verify) -> None:
    secret = certificate_of(SHOP)
    with stopped(CERT_MANAGER, CERT_MANAGER):
        kubectl("--namespace", ISTIO, "delete", "secret", secret)
        problem = verify.names("secret", secret)
        assert problem["fix"][0] == "kubectl --namespace cert-manager get pods", "cert-manager would have repaired it"
    verify.is_ok()


@only_istio
def test_the_issuer(verify: Verify) -> None:
    edit(
        "clusterissuer",
        "letsencrypt-staging-istio",
        lambda spec: spec["acme"].update(server="https://acme-staging.sandbox.test:1/dir"),
    )
    problem = verify.names("issuer", "ingress")
    assert ":1/dir" in problem["what"], "it says which server was asked"
    verify.fix(problem)


@only_istio
def test_the_host_of_the_gateway(verify: Verify) -> None:
    edit(
        "gateways.networking.istio.io", "tls-verify", lambda spec: spec["servers"][0].update(hosts=[f"./{API}"]), ISTIO
    )
    problem = verify.names("gateway", SHOP)
    assert "tls-verify" in problem["what"], "it says which Gateway"
    verify.fix(problem)


@only_gateway_api
def test_the_listener_of_a_challenge(verify: Verify) -> None:
    def without_shop(spec: Any) -> None:
        spec["listeners"] = [listener for listener in spec["listeners"] if listener["hostname"] != SHOP]

    edit(f"gateways.{GATEWAY_API}", "http-verify", without_shop, ISTIO)
    kubectl("--namespace", ISTIO, "delete", "secret", certificate_of(SHOP))
    stack = verify.stack
    eventually(
        "the Certificate's line says why its solver cannot be reached",
        lambda: stack.verify().of("certificate")[0]["detail"],
        until=lambda detail: "HTTPRoute cm-acme-http-solver" in detail and "NoMatchingListenerHostname" in detail,
    )
    problem = verify.names("gateway", SHOP)
    assert "Gateway http-verify has no listener for it on port 80" in problem["what"], "it says which Gateway"
    verify.fix(problem)


@only_gateway_api
def test_the_grant_for_the_applications_service(verify: Verify) -> None:
    kubectl("--namespace", "shop", "delete", f"referencegrants.{GATEWAY_API}", "tls-verify")
    problem = verify.names("gateway", SHOP)
    assert "ReferenceGrant shop/tls-verify does not exist" in problem["what"], "it says which grant"
    verify.fix(problem)


@only_gateway_api
def test_the_applications_service(verify: Verify) -> None:
    service = live("service", "shop", "shop")
    kept = {field: service["spec"][field] for field in ("clusterIP", "selector", "ports")}
    kubectl("--namespace", "shop", "delete", "service", "shop")
    try:
        problem = verify.names("gateway", SHOP)
        assert "backend(shop.shop.svc.cluster.local) not found" in problem["what"], "in Istio's words"
        assert problem["fix"] == ["kubectl --namespace shop get services"], "the program does not make it"
    finally:
        kubectl("apply", manifest=[resource("v1", "Service", "shop", "shop", spec=kept)])
    verify.is_ok()


@only_istio
def test_a_certificate_on_two_servers(verify: Verify) -> None:
    def split(spec: Any) -> None:
        server = spec["servers"][0]
        other = {**server, "hosts": [f"./{API}"], "port": {**server["port"], "name": "https-api"}}
        spec["servers"] = [{**server, "hosts": [f"./{SHOP}"]}, other]

    edit("gateways.networking.istio.io", "tls-verify", split, ISTIO)
    problem = verify.names("coalescing", API)
    assert f"over the connection of {SHOP}: / is answered 404" in problem["what"], "as a browser would see it"
    verify.fix(problem)


@only_istio
def test_an_expired_certificate(verify: Verify, tmp_path: Path) -> None:
    root, data = expired_certificate(tmp_path)
    with stopped(CERT_MANAGER, CERT_MANAGER):
        patch("secret", SECRET, {"data": data}, ISTIO)
        problem = verify.names("expiry", SHOP, API, ca=root)
        assert problem["what"].startswith("expired on "), "it says since when"
        assert problem["fix"][-1] == f"cmctl renew --namespace {ISTIO} {SECRET}", "and how it is renewed"
    verify.is_ok()


@only_istio
def test_a_weak_tls_version(verify: Verify) -> None:
    def weaken(spec: Any) -> None:
        # An old version is only negotiated with a cipher suite of its time.
        suites = spec["servers"][0]["tls"]["cipherSuites"]
        spec["servers"][0]["tls"].update(minProtocolVersion="TLSV1_0", cipherSuites=[*suites, "ECDHE-ECDSA-AES128-SHA"])

    edit("gateways.networking.istio.io", "tls-verify", weaken, ISTIO)
    problem = eventually(
        "the problem says which versions, once the gateway offers both",
        partial(verify.names, "protocols", SHOP, API),
        until=lambda problem: "TLSv1, TLSv1.1" in problem["what"],
    )
    verify.fix(problem)


@only_istio
def test_what_follows_from_a_wrong_record_is_one_problem(verify: Verify) -> None:
    cloud_dns("PATCH", f"/{SHOP}./A", {"rrdatas": [ELSEWHERE]})
    kubectl("--namespace", ISTIO, "delete", "secret", SECRET)
    stack = verify.stack
    eventually(
        "the new certificate cannot be signed",
        lambda: {result["check"] for result in stack.verify().checks if result["state"] == "failed"},
        until=lambda failed: failed >= {"certificate", "secret"},
    )
    problem = verify.names("record", SHOP)
    assert ELSEWHERE in problem["what"], "it says where the record points"
    # cert-manager takes one challenge after the other.
    eventually(
        "the Certificate's line has the words of its challenge",
        lambda: stack.verify().of("certificate")[0]["detail"],
        until=lambda detail: "Challenge for shop.sandbox.test" in detail,
    )
    verify.fix(problem)
