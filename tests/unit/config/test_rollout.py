"""Which certificates an update may ask the CA for, by its limits and by what it has issued already."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
import pytest

from components.problem import ProblemsError
from config import rollout
from config.loading import load
from config.models import Settings
from config.registered import registered_domain
from config.rollout import IssuedCertificate, Rollout, plan
from tests.unit import harness
from tests.unit.api_server import Api
from tests.unit.config.support import HOST, settings
from tests.unit.harness import good_config

ACME = {"email": "platform@sandbox.test", "issuer": "prod"}
ANOTHER_CA: dict[str, Any] = {"servers": {"prod": "https://ca.test/directory"}}
ISSUER = "letsencrypt-prod-istio"
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp()


def config(count: int, grouping: str = "perHost", **acme: Any) -> dict[str, Any]:
    hosts = [{**HOST, "host": f"h{number}.sandbox.test"} for number in range(count)]
    return {"hosts": hosts, "acme": {**ACME, **acme}, "certificate": {"grouping": grouping}}


def certificates(
    count: int, hours: float | None = 24, *, signed: bool = True, issuer: str = ISSUER
) -> list[IssuedCertificate]:
    """The first certificates of such a config, created so many hours ago."""
    created = None if hours is None else NOW - hours * 3600
    names = (frozenset([f"h{number}.sandbox.test"]) for number in range(count))
    return [IssuedCertificate(name, issuer, created, signed) for name in names]


def planned(
    count: int,
    issued: list[IssuedCertificate] | None = None,
    grouping: str = "perHost",
    *,
    clusters: int = 1,
    **acme: Any,
) -> Rollout:
    made = plan(settings(**config(count, grouping, **acme)), issued or [], clusters=clusters, now=NOW)
    assert made is not None
    return made


def sizes(made: Rollout) -> dict[int, int]:
    return {batch.day: len(batch.places) for batch in made.batches}


@pytest.mark.parametrize(
    ("issued", "new"),
    [
        pytest.param(certificates(2), 1, id="issued ones are not signed again"),
        pytest.param(certificates(2, issuer="letsencrypt-staging-istio"), 3, id="another issuer"),
        pytest.param(certificates(2, signed=False), 3, id="never Ready"),
        pytest.param(certificates(2, 24 * 8, signed=False), 1, id="older than the CA remembers: it lost its Secret"),
        pytest.param([IssuedCertificate(frozenset(["h0.sandbox.test", "h1.sandbox.test"]), ISSUER, NOW, True)], 3,
                     id="other names"),
    ],
)  # fmt: skip
def test_one_rule_decides_what_is_issued_already(issued: list[IssuedCertificate], new: int) -> None:
    made = planned(3, issued)
    assert (len(made.certificates), made.unchanged) == (new, 3 - new)


@pytest.mark.parametrize(
    ("count", "issued", "batches"),
    [
        (50, [], {0: 50}),
        (51, [], {0: 50, 1: 1}),
        (57, certificates(50, 2), {1: 7}),
        (57, certificates(50, 24), {0: 7}),
        (60, certificates(50, 24), {0: 7, 1: 3}),
        (90, certificates(50, 24 * 30), {0: 40}),
        (90, certificates(50, None), {0: 40}),
    ],
)
def test_each_update_gets_what_the_limits_have_room_for(
    count: int, issued: list[IssuedCertificate], batches: dict[int, int]
) -> None:
    made = planned(count, issued)
    assert sizes(made) == batches
    assert made.at_once == (set(batches) == {0})


def test_shared_certificates_are_offered_as_the_alternative() -> None:
    assert planned(1000, grouping="shared").at_once, "they are ten certificates"
    assert planned(1000, grouping="shared").alternative is None
    assert planned(120).alternative == 2


def test_shared_certificates_are_no_alternative_in_the_gateway_api() -> None:
    made = plan(settings(api="gateway", **config(120)), [], now=NOW)
    assert made is not None
    assert sizes(made) == sizes(planned(120)), "the CA counts the same"
    assert made.alternative is None, "the config refuses them"


def test_what_is_left_of_the_limits_after_the_last_batch() -> None:
    some, full = planned(30), planned(50)
    assert (some.new, some.again) == ({"sandbox.test": 20}, 4), "of 50 certificates, and of 5 for the same names"
    assert some.another == {"sandbox.test": 0}
    assert full.new == {"sandbox.test": 0}
    assert full.another["sandbox.test"] == pytest.approx(201.6 * 60)
    old = planned(1, certificates(1, 24 * 30))
    assert (old.batches, old.again) == ([], 5)


def test_clusters_share_the_limit_of_the_same_names() -> None:
    assert planned(1, grouping="shared", clusters=5).at_once
    six = planned(1, grouping="shared", clusters=6)
    assert sizes(six) == {0: 5, 2: 1}
    made = planned(2, certificates(1, 1), clusters=3)
    assert (len(made.certificates), made.unchanged) == (5, 1), "the other two have no certificates yet"


def test_another_ca_has_the_limits_that_are_set() -> None:
    assert plan(settings(**config(1, **ANOTHER_CA)), []) is None
    assert sizes(planned(5, **ANOTHER_CA, limits={"certificates": "2/2d"})) == {0: 2, 1: 1, 2: 1, 3: 1}
    raised = planned(301, limits={"certificates": "500/7d"})
    assert sizes(raised) == {0: 300, 1: 1}, "the other limits remain those of Let's Encrypt"


@pytest.mark.parametrize(
    ("host", "domain"), [("shop.acme.co.uk", "acme.co.uk"), ("*.Acme.dev.", "acme.dev"), ("dev", "dev")]
)
def test_a_registered_domain_is_one_label_below_the_public_suffix(host: str, domain: str) -> None:
    assert registered_domain(host) == domain


def cluster(monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Mapping[str, Any] | None]) -> list[str]:
    """Have a cluster answer for each Certificate; returns the names that were read."""
    asked: list[str] = []

    def look(_: str, name: str) -> Mapping[str, Any] | None:
        asked.append(name)
        return read(name)

    monkeypatch.setattr(rollout, "reader", lambda *_: look)
    return asked


def refusal(count: int, **acme: Any) -> str:
    with pytest.raises(ProblemsError) as error:
        require(settings(**config(count, **acme)))
    return str(error.value)


def require(loaded: Settings) -> None:
    rollout.require_room(loaded, "dev", None)


def test_the_cluster_is_not_read_for_what_fits_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = cluster(monkeypatch, lambda _: None)
    require(settings(**config(50)))
    require(settings(**config(51, issuer="staging")))
    require(settings(**config(51, **ANOTHER_CA)))
    require(settings(**config(51, limits={"certificates": "51/7d"})))
    assert asked == []


def test_existing_certificates_are_read_from_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    created = (datetime.now(UTC) - timedelta(hours=24)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def read(name: str) -> Mapping[str, Any] | None:
        host = name.removeprefix("istio-ingressgateway-certs-")
        if int(host[1:].partition(".")[0]) >= 50:
            return None
        spec = {"dnsNames": [host], "issuerRef": {"name": ISSUER}}
        return {"metadata": {"creationTimestamp": created}, "spec": spec, "status": {"notAfter": "x"}}

    cluster(monkeypatch, read)
    require(settings(**config(57)))
    assert "8 new certificates are wanted, and the CA signs 7 of them at once" in refusal(58)
    cluster(monkeypatch, lambda name: {**certificate, "status": {}} if (certificate := read(name)) else None)
    assert "57 new certificates are wanted" in refusal(57), "they were never Ready"


def test_a_secret_host_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster(monkeypatch, lambda _: None)
    with pytest.raises(pulumi.RunError, match=r"without \[secret\] and those like it") as error:
        harness.run(load, good_config(**config(51)), secret=("hosts",))
    assert "h50" not in str(error.value)


def test_a_cluster_that_cannot_be_read_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise rollout.UnreadableError("403 Forbidden")

    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    cluster(monkeypatch, fail)
    require(settings(**config(51)))
    assert "51 certificates, which the CA does not sign all at once" in warned[0]
    assert "cannot be read (403 Forbidden)" in warned[0]
    assert "tlsctl plan-rollout" in warned[0]


def test_a_certificate_is_read_from_the_cluster(api: Api) -> None:
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
