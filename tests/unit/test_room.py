"""A config with more new certificates than the CA signs is refused, before anything is registered."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
import pytest

from components.problem import ProblemsError
from config import rollout
from config.decoding import decode
from config.loading import load
from config.models import Settings
from tests.unit import harness
from tests.unit.api_server import Api
from tests.unit.harness import good_config
from tests.unit.test_program import HOST

ACME = {"email": "platform@sandbox.test", "issuer": "prod"}
ISSUER = "letsencrypt-prod-istio"


def config(count: int, **acme: Any) -> dict[str, Any]:
    hosts = [{**HOST, "host": f"h{number}.sandbox.test"} for number in range(count)]
    return good_config(hosts=hosts, acme={**ACME, **acme}, certificate={"grouping": "perHost"})


def settings_of(given: dict[str, Any]) -> Settings:
    return decode(Settings, harness.engine_config(given), harness.PROJECT, "test")


def certificate(name: str, hours: float, **changes: Any) -> dict[str, Any]:
    """A Certificate that was made so many hours ago."""
    made = (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    host = name.removeprefix("istio-ingressgateway-certs-")
    spec = {"dnsNames": [host], "issuerRef": {"name": ISSUER}}
    return {"metadata": {"creationTimestamp": made}, "spec": spec, "status": {"notAfter": "x"}} | changes


def cluster(monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Mapping[str, Any] | None]) -> list[str]:
    """Have a cluster answer for each Certificate; returns which were asked for."""
    asked: list[str] = []

    def look(_: str, name: str) -> Mapping[str, Any] | None:
        asked.append(name)
        return read(name)

    monkeypatch.setattr(rollout, "reader", lambda *_: look)
    return asked


def number(name: str) -> int:
    return int(name.removeprefix("istio-ingressgateway-certs-h").partition(".")[0])


def refused(count: int, **acme: Any) -> str:
    with pytest.raises(ProblemsError) as error:
        rollout.require_room(settings_of(config(count, **acme)), "dev", None)
    return str(error.value)


def test_what_fits_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = cluster(monkeypatch, lambda _: None)
    rollout.require_room(settings_of(config(50)), "dev", None)
    rollout.require_room(settings_of(config(51, issuer="staging")), "dev", None)
    rollout.require_room(settings_of(config(51, servers={"prod": "https://ca.test/directory"})), "dev", None)
    rollout.require_room(settings_of(config(51, limits={"certificates": "51/7d"})), "dev", None)
    assert asked == []


def test_more_new_certificates_than_the_ca_signs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster(monkeypatch, lambda _: None)
    assert refused(51) == (
        "the config of stack 'dev' has a problem:\n"
        "  hosts: 51 new certificates are wanted, and the CA signs 50 of them at once: `up` would be cut off half-way;"
        " accepted: what fits, without h50.sandbox.test and those like it that follow, certificates that hosts share,"
        " or the limits that the CA has set for you (acme.limits)\n"
        "      uv run python -m tlsctl plan-rollout\n"
        "      pulumi config set --path certificate.grouping shared"
    )
    servers = {"prod": "https://ca.test/directory"}
    assert "3 new certificates are wanted, and the CA signs 2" in refused(
        3, servers=servers, limits={"certificates": "2/7d"}
    )


def test_a_host_that_is_a_secret_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster(monkeypatch, lambda _: None)
    with pytest.raises(pulumi.RunError, match=r"without \[secret\] and those like it") as error:
        harness.run(load, config(51), secret=("hosts",))
    assert "h50" not in str(error.value)


@pytest.mark.parametrize(
    ("count", "hours", "fits"), [(57, 24, True), (58, 24, False), (51, 1, False), (100, 200, True)]
)
def test_what_is_there_counts_by_when_it_was_made(
    monkeypatch: pytest.MonkeyPatch, count: int, hours: float, fits: bool
) -> None:
    cluster(monkeypatch, lambda name: certificate(name, hours) if number(name) < 50 else None)
    if fits:
        rollout.require_room(settings_of(config(count)), "dev", None)
    else:
        signs = 7 if hours == 24 else 0
        assert f"{count - 50} new certificates are wanted, and the CA signs {signs} of them at once" in refused(count)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": {}},
        {"spec": {"dnsNames": ["h1.sandbox.test", "h2.sandbox.test"], "issuerRef": {"name": ISSUER}}},
        {"spec": {"dnsNames": ["h1.sandbox.test"], "issuerRef": {"name": "letsencrypt-staging-istio"}}},
    ],
)
def test_what_is_not_signed_by_this_issuer_for_these_names_is_new(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    cluster(monkeypatch, lambda name: certificate(name, 9, **changes))
    assert "51 new certificates are wanted" in refused(51)


def test_what_has_lost_its_secret_is_not_new_to_the_ca(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster(monkeypatch, lambda name: certificate(name, 24 * 8, status={}))
    rollout.require_room(settings_of(config(51)), "dev", None)


def test_a_cluster_that_cannot_be_asked_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise rollout.UnreadableError("403 Forbidden")

    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    cluster(monkeypatch, fail)
    rollout.require_room(settings_of(config(51)), "dev", None)
    assert "51 certificates, which the CA does not sign all at once" in warned[0]
    assert "cannot be read (403 Forbidden)" in warned[0]
    assert "tlsctl plan-rollout" in warned[0]


def test_a_certificate_is_read_from_the_cluster() -> None:
    api = Api()
    api.objects["/apis/cert-manager.io/v1/namespaces/istio-system/certificates/shop"] = {"spec": {}}
    read = rollout.reader(api.kubeconfig, None)
    assert read("istio-system", "shop") == {"spec": {}}
    assert read("istio-system", "blog") is None, "there is none"
    api.refused = 403
    with pytest.raises(rollout.UnreadableError, match="403"):
        read("istio-system", "blog")
    api.close()
    with pytest.raises(rollout.UnreadableError):
        read("istio-system", "shop")
    with pytest.raises(rollout.UnreadableError, match="No configuration found"):
        rollout.reader("/no/such/file", None)
