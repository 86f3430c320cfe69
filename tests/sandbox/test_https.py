"""A stack as clients see it through Envoy, with certificates signed by real ACME servers.

The tests share one stack, which begins each of them up with its first config: first in Istio's own API, and then in the
Gateway API.
"""

import ssl
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from sandbox.acme import PROD, STAGING
from sandbox.testing import (
    ISTIO,
    a_records,
    client,
    eventually,
    get,
    ingress_address,
    items,
    kubectl,
    renew,
)
from tests.sandbox.conftest import NewStack
from tests.sandbox.stack import API, GROUPING, SHOP, Stack, certificate_of

pytestmark = pytest.mark.sandbox

HOSTS = [SHOP["host"], API["host"]]


@pytest.fixture(scope="module")
def made(new_stack: NewStack) -> Stack:
    return new_stack("https", hosts=[SHOP, API])


@pytest.fixture(scope="module")
def shared(made: Stack, api: str) -> Stack:
    made.write_in(api)
    return made


@pytest.fixture
def stack(shared: Stack) -> Stack:
    """The stack as it was first configured, with staging's certificate served."""
    shared.stand()
    eventually("staging's certificate is served", partial(client.served, "shop.sandbox.test", client.trusting(STAGING)))
    return shared


def installed() -> str:
    """Return Helm's release of cert-manager once it is complete."""
    return kubectl("get", "secrets", "-n", "cert-manager", "--selector=owner=helm,status=deployed", "--output=name")


def challenges() -> list[dict[str, Any]]:
    return [challenge["spec"] for challenge in items("challenges.acme.cert-manager.io", ISTIO)]


def answered_challenge() -> tuple[str, str] | None:
    """Return a host and the path of its challenge once the solver answers it with the key through the gateway."""
    for spec in challenges():
        path = f"/.well-known/acme-challenge/{spec['token']}"
        answer = client.plain(spec["dnsName"], path)
        if (answer.status, answer.body) == (200, spec["key"]):
            return spec["dnsName"], path
    return None


def gateway_pods() -> dict[str, list[int]]:
    """Return how often each container of the gateway's Pods was restarted, by the Pod's uid."""
    return {
        pod["metadata"]["uid"]: [status["restartCount"] for status in pod["status"]["containerStatuses"]]
        for pod in items("pods", ISTIO)
        if pod["metadata"]["labels"].get("istio") == "ingressgateway"
    }


def test_the_first_challenge_is_served_while_everything_else_is_redirected(shared: Stack) -> None:
    shared.destroy()
    kubectl("delete", "secrets", "--selector=controller.cert-manager.io/fao=true", "--namespace", ISTIO)
    with shared.coming_up():
        eventually("cert-manager is installed", installed)
        host, _ = eventually("the solver answers a challenge through the gateway", answered_challenge)
        page = client.plain(host)
    assert page.status == 301, "the redirect is there while the challenge is answered"
    assert page.headers["location"] == f"https://{host}/", "for every other path"


@pytest.mark.usefixtures("stack")
def test_the_first_up_ends_in_https_for_every_host() -> None:
    staging = client.trusting(STAGING)
    for host, name in (("shop.sandbox.test", "shop"), ("api.sandbox.test", "api")):
        answer = eventually(f"{host} is served", partial(client.served, host, staging))
        assert answer.app == name, "each host leads to its own application"
    eventually("no challenge is left behind", lambda: not challenges())


def test_the_certificates_are_for_the_hosts_and_of_the_key_that_the_config_asks_for(stack: Stack, api: str) -> None:
    ends = []
    for host in HOSTS:
        answer = eventually(f"{host} is served", partial(client.served, host, client.trusting(STAGING)))
        assert answer.certificate is not None, "it came over HTTPS"
        names = answer.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        expected = HOSTS if GROUPING[api] == "shared" else [host]
        assert sorted(names.get_values_for_type(x509.DNSName)) == sorted(expected), "one for both, or one for each"
        key: Any = answer.certificate.public_key()
        assert key.curve.name == "secp256r1", "ECDSA P-256"
        ends.append(answer.certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert stack.outputs()["certificateNotAfter"] == min(ends), "the output is the first date of what is served"
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
        # Of both hosts, since Pebble reuses one authorization in a hundred and then asks for no proof.
        for name in {certificate_of(host) for host in HOSTS}:
            renew(name)
        host, _ = eventually("the solver answers a challenge of the renewal", answered_challenge)
        assert client.plain(host).status == 301, "the redirect stays meanwhile"
        new = client.another("shop.sandbox.test", staging, old)
    assert seen.failures == [], f"no request failed, of {seen.answered}"
    assert seen.serials in ([old], [old, new.serial]), "clients saw the old certificate, and then the new one"
    assert gateway_pods() == pods, "no gateway Pod was replaced or restarted"
    stack.assert_at_rest()


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
            lambda: client.https("shop.sandbox.test", staging, "/v1/items").app == "api",
        )
        assert client.https("shop.sandbox.test", staging, "/v2").app == "shop", "other paths go where they went"
    stack.up()
    eventually("it is as it was", lambda: client.https("shop.sandbox.test", staging, "/v1/items").app == "shop")
    assert client.https("shop.sandbox.test", staging).serial == serial, "a route is no reason for another certificate"


def test_a_host_comes_and_goes_while_the_others_serve(stack: Stack) -> None:
    staging, address = client.trusting(STAGING), ingress_address()
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

        eventually("the gateway does not know the name", refused)
    assert seen.failures == [], f"no request to another host failed, of {seen.answered}"


def test_a_second_stack_shares_the_cluster_and_leaves_it_as_it_was(stack: Stack, api: str, tmp_path: Path) -> None:
    staging = client.trusting(STAGING)
    blog = SHOP | {"host": "blog.sandbox.test"}
    with client.traffic("shop.sandbox.test", staging) as seen, Stack("second", tmp_path) as second:
        second.configure(
            api=api, certManager={"install": False}, certificate={"secretName": "shared-certs"}, hosts=[blog]
        )
        second.up()
        answer = eventually("its host is served", lambda: client.served("blog.sandbox.test", staging))
        assert answer.app == "shop", "by the application of its config"
        assert second.plan() == {}, "it is at rest"
        assert stack.plan() == {}, "and so is the first"
    assert seen.failures == [], f"no request to the first stack's host failed, of {seen.answered}"
    assert "blog.sandbox.test" not in a_records(), "its name is gone with it"
    assert get("deployment", "cert-manager", "cert-manager") is not None, "what it did not install stays"
    stack.assert_at_rest()


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
