"""What clients see of a stack through Envoy, from the first certificate to the last, signed by real ACME servers.

The tests share one stack, which each finds with its first config, standing.
"""

import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from sandbox.acme import PROD, STAGING
from sandbox.testing import a_records, client, eventually, get, items, kubectl, live, renew
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
CERTIFICATE = "istio-ingressgateway-certs"
SHOP = {"host": "shop.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
API = {"host": "api.sandbox.test", "service": "api", "namespace": "api", "port": 8080}
HOSTS = [SHOP["host"], API["host"]]


@dataclass(frozen=True)
class FirstUp:
    """What a client saw while the stack came up for the first time.

    Attributes:
        stack: The stack.
        challenged: A host whose challenge was answered.
        page: The answer for that host's page over plain HTTP, at that time.
    """

    stack: Stack
    challenged: str
    page: client.Answer


@pytest.fixture(scope="module")
def first_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstUp]:
    # A Secret that a stack before this one left would make the Certificate Ready at once.
    kubectl("delete", "secret", CERTIFICATE, "--namespace", ISTIO, "--ignore-not-found")
    with Stack("https", tmp_path_factory.mktemp("stacks")) as stack:
        stack.configure(hosts=[SHOP, API])
        with stack.coming_up():
            eventually("cert-manager is installed", installed)
            host, _ = eventually("the solver answers a challenge through the gateway", answered_challenge)
            page = client.plain(host)
        yield FirstUp(stack, host, page)


@pytest.fixture
def stack(first_up: FirstUp) -> Stack:
    """The stack as it was first configured, with staging's certificate served."""
    first_up.stack.stand()
    eventually("staging's certificate is served", partial(client.served, "shop.sandbox.test", client.trusting(STAGING)))
    return first_up.stack


@pytest.fixture(scope="module")
def address() -> str:
    service = live("service", "istio-ingressgateway", ISTIO)
    return str(service["status"]["loadBalancer"]["ingress"][0]["ip"])


def installed() -> str:
    """Helm's release of cert-manager, once it is complete."""
    return kubectl("get", "secrets", "-n", "cert-manager", "--selector=owner=helm,status=deployed", "--output=name")


def challenges() -> list[dict[str, Any]]:
    return [each["spec"] for each in items("challenges.acme.cert-manager.io", ISTIO)]


def answered_challenge() -> tuple[str, str] | None:
    """A host and the path of a challenge of it, which the solver answers with the key through the gateway."""
    for spec in challenges():
        path = f"/.well-known/acme-challenge/{spec['token']}"
        answer = client.plain(spec["dnsName"], path)
        if (answer.status, answer.body) == (200, spec["key"]):
            return spec["dnsName"], path
    return None


def app(answer: client.Answer) -> str:
    """The application that answered."""
    return str(answer.json()["app"])


def gateway_pods() -> dict[str, list[int]]:
    """The gateway's Pods by uid, with how often each of their containers was restarted."""
    return {
        pod["metadata"]["uid"]: [each["restartCount"] for each in pod["status"]["containerStatuses"]]
        for pod in items("pods", ISTIO)
        if pod["metadata"]["labels"].get("istio") == "ingressgateway"
    }


def another(host: str, trust: ssl.SSLContext, serial: int) -> Callable[[], client.Answer | None]:
    """The answer of a host with another certificate than the one of this serial, once it is served."""

    def look() -> client.Answer | None:
        answer = client.served(host, trust)
        return answer if answer and answer.serial != serial else None

    return look


def test_the_first_challenge_is_served_while_everything_else_is_redirected(first_up: FirstUp) -> None:
    assert first_up.page.status == 301, "the redirect is there while the challenge is answered"
    assert first_up.page.headers["location"] == f"https://{first_up.challenged}/", "for every other path"


@pytest.mark.usefixtures("stack")
def test_the_first_up_ends_in_https_for_every_host() -> None:
    staging = client.trusting(STAGING)
    for host, name in (("shop.sandbox.test", "shop"), ("api.sandbox.test", "api")):
        answer = eventually(f"{host} is served", partial(client.served, host, staging))
        assert app(answer) == name, "each host leads to its own application"
    assert challenges() == [], "no challenge is left behind"


@pytest.mark.usefixtures("stack")
def test_curl_trusts_it_without_being_told_to_be_insecure() -> None:
    root = "/run/sandbox/acme/staging-root.pem"
    command = ["curl", "--silent", "--show-error", "--fail", "--cacert", root, "https://shop.sandbox.test/cart?id=1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["path"] == "/cart?id=1", "the application got the request as it was"


def test_the_certificate_is_for_all_hosts_and_of_the_key_that_the_config_asks_for(stack: Stack) -> None:
    answer = client.https("shop.sandbox.test", client.trusting(STAGING))
    assert answer.certificate is not None, "it came over HTTPS"
    names = answer.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == set(HOSTS), "one certificate for both"
    key: Any = answer.certificate.public_key()
    assert key.curve.name == "secp256r1", "ECDSA P-256"
    not_after = answer.certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert stack.outputs()["certificateNotAfter"] == not_after, "the output is the date of what is served"
    with pytest.raises(ssl.SSLCertVerificationError):
        client.https("shop.sandbox.test", client.trusting(PROD))


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", ["/", "/cart?id=1", "/.well-known/acme-challenge/unknown"])
def test_no_application_is_reached_over_plain_http(method: str, path: str) -> None:
    for host in HOSTS:
        answer = client.plain(str(host), client.Request(path, method))
        assert answer.status == 301, "plain HTTP is only redirected"
        assert answer.headers["location"] == f"https://{host}{path}", "to the same page"


def test_a_renewal_is_served_without_a_restart_and_its_challenge_beside_the_redirect(stack: Stack) -> None:
    staging = client.trusting(STAGING)
    pods, old = gateway_pods(), client.https("shop.sandbox.test", staging).serial
    with client.traffic("shop.sandbox.test", staging) as seen:
        renew(CERTIFICATE)
        host, _ = eventually("the solver answers a challenge of the renewal", answered_challenge)
        assert client.plain(host).status == 301, "the redirect stays meanwhile"
        new = eventually("another certificate is served", another("shop.sandbox.test", staging, old))
    assert seen.failures == [], f"no request failed, of {seen.answered}"
    assert seen.serials in ([old], [old, new.serial]), "clients saw the old certificate, and then the new one"
    assert gateway_pods() == pods, "no gateway Pod was replaced or restarted"
    stack.preview("--refresh", "--expect-no-changes")


def test_a_deleted_secret_is_issued_anew(stack: Stack) -> None:
    staging = client.trusting(STAGING)
    old = client.https("shop.sandbox.test", staging).serial
    kubectl("delete", "secret", CERTIFICATE, "--namespace", ISTIO)
    eventually("another certificate is served", another("shop.sandbox.test", staging, old))
    stack.preview("--refresh", "--expect-no-changes")


def test_a_route_is_changed_and_a_path_of_another_service_added(stack: Stack) -> None:
    staging = client.trusting(STAGING)
    serial = client.https("shop.sandbox.test", staging).serial
    here = {key: SHOP[key] for key in ("service", "namespace", "port")}
    there = {key: API[key] for key in ("service", "namespace", "port")}
    routes = [{"path": "/", **here}, {"path": "/v1", **there}]
    with stack.changed(hosts=[{"host": SHOP["host"], "routes": routes}, API]):
        stack.up()
        eventually(
            "the path leads to the other service",
            lambda: app(client.https("shop.sandbox.test", staging, "/v1/items")) == "api",
        )
        assert app(client.https("shop.sandbox.test", staging, "/v2")) == "shop", "other paths go where they went"
    stack.up()
    eventually("it is as it was", lambda: app(client.https("shop.sandbox.test", staging, "/v1/items")) == "shop")
    assert client.https("shop.sandbox.test", staging).serial == serial, "a route is no reason for another certificate"


def test_another_port_of_the_service_is_followed(stack: Stack) -> None:
    staging = client.trusting(STAGING)
    add = [{"op": "add", "path": "/spec/ports/-", "value": {"name": "v2", "port": 8081, "targetPort": "http"}}]
    kubectl("patch", "service", "shop", "-n", "shop", "--type=json", f"-p={json.dumps(add)}")
    remove = json.dumps([{"op": "remove", "path": "/spec/ports/0"}])
    try:
        with stack.changed(hosts=[SHOP | {"port": 8081}, API]):
            stack.up()
            # The old port goes, so that an answer can only have come by the new one.
            kubectl("patch", "service", "shop", "-n", "shop", "--type=json", f"-p={remove}")
            eventually("the new port serves", lambda: client.served("shop.sandbox.test", staging))
    finally:
        ports = [{"name": "http", "port": 80, "targetPort": "http"}]
        patch = json.dumps([{"op": "replace", "path": "/spec/ports", "value": ports}])
        kubectl("patch", "service", "shop", "-n", "shop", "--type=json", f"-p={patch}")
    stack.up()
    eventually("the first port serves again", lambda: client.served("shop.sandbox.test", staging))


def test_a_host_comes_and_goes_while_the_others_serve(stack: Stack, address: str) -> None:
    staging = client.trusting(STAGING)
    docs = SHOP | {"host": "docs.sandbox.test"}
    with client.traffic("api.sandbox.test", staging) as seen:
        with stack.changed(hosts=[SHOP, API, docs]):
            stack.up()
            eventually("the new host is served", lambda: client.served("docs.sandbox.test", staging))
        stack.up()
        assert "docs.sandbox.test" not in a_records(), "its name is gone"

        def refused() -> bool:
            try:
                client.https("docs.sandbox.test", staging, address=address)
            except ssl.SSLCertVerificationError:
                return False
            except OSError:
                return True
            return False

        eventually("the gateway does not know the name any more", refused)
    assert seen.failures == [], f"no request to another host failed, of {seen.answered}"


def test_a_second_stack_shares_the_cluster_and_leaves_it_as_it_was(stack: Stack, tmp_path: Path) -> None:
    staging = client.trusting(STAGING)
    second = Stack("second", tmp_path)
    blog = SHOP | {"host": "blog.sandbox.test"}
    second.configure(certManager={"install": False}, certificate={"secretName": "shared-certs"}, hosts=[blog])
    with client.traffic("shop.sandbox.test", staging) as seen:
        try:
            second.up()
            answer = eventually("its host is served", lambda: client.served("blog.sandbox.test", staging))
            assert app(answer) == "shop", "by the application of its config"
            assert second.plan() == {}, "it is at rest"
            assert stack.plan() == {}, "and so is the first"
        finally:
            second.destroy()
            # cert-manager leaves it, and a Certificate of another test that names it would be ready at once.
            kubectl("delete", "secret", "shared-certs", "--namespace", "istio-system", "--ignore-not-found")
    assert seen.failures == [], f"no request to the first stack's host failed, of {seen.answered}"
    assert "blog.sandbox.test" not in a_records(), "its name went with it"
    assert get("deployment", "cert-manager", "cert-manager") is not None, "what it did not install stays"
    stack.preview("--refresh", "--expect-no-changes")


def test_from_staging_to_production_without_a_failed_request(stack: Stack) -> None:
    staging, prod = client.trusting(STAGING), client.trusting(PROD)
    old = client.https("shop.sandbox.test", staging).serial
    with client.traffic("shop.sandbox.test", client.trusting(STAGING, PROD)) as seen:
        with stack.changed(acme={"issuer": "prod"}):
            stack.up()
        new = eventually("production's certificate is served", lambda: client.served("shop.sandbox.test", prod))
    assert seen.failures == [], f"no request failed, of {seen.answered}"
    assert seen.answered > 10, "there was traffic throughout"
    assert seen.serials in ([old], [old, new.serial]), "one certificate took the place of the other"
    with pytest.raises(ssl.SSLCertVerificationError):
        client.https("shop.sandbox.test", staging)
    assert stack.outputs()["issuer"] == "letsencrypt-prod-istio", "the output says who signs"
