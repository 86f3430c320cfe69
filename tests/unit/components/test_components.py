"""The objects and record sets that components make, and the inputs that they refuse."""

import re
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import AcmeIssuers, CertManager, ChallengeDelegations, DnsRecords, GatewayCertificate, TlsGateway
from components.cert_manager import chart_values
from components.gateway_certificate import earliest
from components.inputs import InputsError
from components.specs import cert_manager, istio
from tests.unit.components.support import ROUTE, tls
from tests.unit.harness import CERTIFICATE, ISSUER, RECORD, RELEASE, VIRTUAL_SERVICE, Registered, run

DIGEST = f"sha256:{'a' * 64}"
CHART = "oci://charts.test/cert-manager"
SECRET = "kubernetes:core/v1:Secret"


class TestCertManager:
    @staticmethod
    def release(args: Any, chart: str = "") -> dict[str, Any]:
        def program() -> None:
            inputs: Any = {**args, "chart": pulumi.Output.secret(chart)} if chart else args
            CertManager("cm", inputs)

        (release,) = run(program).of(RELEASE)
        return dict(release.inputs)

    def test_the_values_of_the_chart_are_merged_key_by_key(self) -> None:
        extra = {"crds": {"keep": False}, "webhook": {"replicaCount": 3}, "config": {"kubernetesAPIQPS": 20}}
        values = chart_values("certificates", extra)

        assert values["startupapicheck"] == {"enabled": True, "timeout": "5m"}, "else the first issuer is refused"
        assert values["global"]["leaderElection"]["namespace"] == "certificates", "kube-system is closed on Autopilot"
        assert values["crds"] == {"enabled": True, "keep": False}
        assert values["webhook"] == {"replicaCount": 3}
        assert values["config"]["kubernetesAPIQPS"] == 20
        assert values["config"]["numberOfConcurrentWorkers"] == 60, "as many as there are challenges at once"
        assert chart_values("a", {})["crds"]["keep"], "deleting CRDs deletes every Certificate of the cluster"

    def test_the_release_has_a_constant_name_and_outlasts_the_check_of_the_webhook(self) -> None:
        release = self.release({})
        assert release["name"] == "cert-manager", "another name could not adopt the CRDs"
        assert release["timeout"] > 300, "longer than startupapicheck's own timeout, whose words are better"

    def test_the_default_chart_is_pinned_by_digest_and_no_other_has_its_digest(self) -> None:
        pinned = f"{cert_manager.CHART}@{cert_manager.DIGEST}"
        assert self.release({})["chart"] == pinned, "its tag could be moved"
        assert self.release({}, cert_manager.CHART)["chart"]["value"] == pinned, "a secret of the config too"
        assert self.release({"version": "v1.20.3"})["chart"] == cert_manager.CHART
        assert self.release({"chart": CHART})["chart"] == CHART

    @pytest.mark.parametrize(
        ("chart", "reason"),
        [
            ("another.tgz", rf"is sha256:[0-9a-f]+, and not {DIGEST}"),
            ("/nowhere/chart.tgz", "cannot be read: No such file or directory"),
            ("./charts/cert-manager", "has no digest that can be compared"),
            ("https://charts.test/cert-manager.tgz", "has no digest that can be compared"),
            (f"{CHART}@sha256:{'b' * 64}", "names another digest itself"),
        ],
    )
    def test_a_digest_that_does_not_match_or_is_not_compared_is_refused_without_quoting_the_chart(
        self, chart: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("another.tgz").write_bytes(b"another chart")

        with pytest.raises(InputsError, match=rf"chart:? {reason}") as refused:
            self.release({"chart": chart, "digest": DIGEST})
        assert chart not in str(refused.value), "it may be a secret"


HTTP01 = {"http01": {"ingress": {"class": "istio", "serviceType": "ClusterIP"}}}
"""Istio serves it without an IngressClass object, and no node port is opened for a challenge."""
ZONE = {"project": "platform", "zone": "sandbox"}
DNS01 = {"cloudDNS": {"project": "platform", "hostedZoneName": "sandbox"}}
KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


class TestAcmeIssuers:
    @staticmethod
    def issuers(*solvers: Any) -> list[Registered]:
        args: Any = {"email": "platform@sandbox.test", "solvers": solvers or [{}]}
        return run(lambda: AcmeIssuers("issuers", args)).of(ISSUER)

    def test_each_environment_has_an_account_key_of_its_own(self) -> None:
        issuers = self.issuers()
        secrets = {issuer.inputs["spec"]["acme"]["privateKeySecretRef"]["name"] for issuer in issuers}
        assert len(secrets) == 2, "an account belongs to one server"

    @pytest.mark.parametrize(
        ("solver", "expected"),
        [
            ({}, [HTTP01]),
            (
                {"class_field": "ingressClassName"},
                [{"http01": {"ingress": {"ingressClassName": "istio", "serviceType": "ClusterIP"}}}],
            ),
            ({"challenge": "dns01", **ZONE}, [{"dns01": DNS01}]),
            (
                {"challenge": "dns01", **ZONE, "follow_cname": True, "wait_instead_of_self_check": 0},
                [{"dns01": {**DNS01, "cnameStrategy": "Follow"}, "waitInsteadOfSelfCheck": "0s"}],
            ),
            # In one selector, a name would have to be in both lists.
            (
                {"dns_names": ["SHOP.sandbox.test", "*.a.test"], "dns_zones": ["b.test"]},
                [
                    {**HTTP01, "selector": {"dnsNames": ["shop.sandbox.test", "*.a.test"]}},
                    {**HTTP01, "selector": {"dnsZones": ["b.test"]}},
                ],
            ),
        ],
    )
    def test_a_solver_is_written_as_cert_manager_reads_it(self, solver: Any, expected: list[dict[str, Any]]) -> None:
        for issuer in self.issuers(solver):
            assert issuer.inputs["spec"]["acme"]["solvers"] == expected

    def test_a_domain_is_no_wildcard(self) -> None:
        with pytest.raises(InputsError, match=r"solvers\[0\]\.dns_zones\[0\]: '\*\.b\.test' is a wildcard"):
            self.issuers({"dns_zones": ["*.b.test"]})

    @pytest.mark.parametrize(
        ("kind", "account", "namespace"),
        [
            ("ClusterIssuer", {"key_secret": KEY}, "certs"),
            ("Issuer", {"key_secret": KEY}, "gateways"),
            ("ClusterIssuer", {"secret_name": "zerossl"}, None),
        ],
    )
    def test_the_key_of_an_external_account_is_in_the_secret_that_its_issuer_names(
        self, kind: str, account: Any, namespace: str | None
    ) -> None:
        args: Any = {
            "email": "platform@sandbox.test", "kind": kind, "namespace": "gateways", "cluster_namespace": "certs",
            "external_accounts": {"prod": {"key_id": "kid", **account}},
        }  # fmt: skip
        done = run(lambda: AcmeIssuers("issuers", args))

        specs = [done.named(f"issuers-{environment}").inputs["spec"]["acme"] for environment in ("staging", "prod")]
        assert "externalAccountBinding" not in specs[0], "another CA, or none"
        reference = specs[1]["externalAccountBinding"]["keySecretRef"]
        secrets = done.of(SECRET)
        assert [secret.inputs["metadata"] for secret in secrets] == (
            [{"name": reference["name"], "namespace": namespace}] if namespace else []
        )
        assert reference == {"name": account.get("secret_name", reference["name"]), "key": "secret"}
        for secret in secrets:
            assert KEY not in secret.shown, "the state has it encrypted"
            assert secret.urn in done.named("issuers-prod").dependencies, "cert-manager does not try again without it"


SHOP, WILD = "shop.sandbox.test", "*.shop.sandbox.test"
A = ("dns-shop.sandbox.test", "shop.sandbox.test.", "A", "203.0.113.10")
AAAA = ("dns-shop.sandbox.test-ipv6", "shop.sandbox.test.", "AAAA", "2001:db8::1")


class TestDnsRecords:
    @pytest.mark.parametrize(
        ("args", "expected"),
        [
            ({"ip": A[3]}, [A]),
            ({"ipv6": AAAA[3]}, [AAAA]),
            ({"ip": A[3], "ipv6": AAAA[3]}, [A, AAAA]),
            ({"hosts": [WILD], "ip": A[3]}, [(f"dns-{WILD}", f"{WILD}.", "A", A[3])]),
        ],
    )
    def test_hosts_have_a_record_of_each_address(self, args: Any, expected: list[tuple[str, ...]]) -> None:
        inputs: Any = {"hosts": [SHOP], "zone": "sandbox", "ttl": 60, **args}
        made = run(lambda: DnsRecords("dns", inputs)).of(RECORD)

        assert [
            (record.name, record.inputs["name"], record.inputs["type"], *record.inputs["rrdatas"]) for record in made
        ] == expected
        assert {(record.inputs["ttl"], record.inputs["managedZone"]) for record in made} == {(60, "sandbox")}

    def test_an_address_is_required(self) -> None:
        with pytest.raises(InputsError, match="ip is missing"):
            run(lambda: DnsRecords("dns", {"hosts": [SHOP], "zone": "sandbox"}))


class TestChallengeDelegations:
    @staticmethod
    def made(**more: Any) -> Registered:
        args: Any = {"hosts": [SHOP, WILD], "domain": "proofs.test", "zone": "sandbox", **more}
        (record,) = run(lambda: ChallengeDelegations("delegations", args)).of(RECORD)
        return record

    def test_a_wildcard_and_its_domain_are_proven_by_one_name(self) -> None:
        record = self.made(ttl=60)

        assert record.name == f"delegations-{SHOP}"
        assert record.inputs == {
            "name": f"_acme-challenge.{SHOP}.",
            "type": "CNAME",
            "rrdatas": [f"{SHOP}.proofs.test."],
            "ttl": 60,
            "managedZone": "sandbox",
        }

    def test_a_record_keeps_its_place_in_a_stack_of_version_0_1(self) -> None:
        parent = "urn:pulumi:test::istio-gateway-tls::istio-gateway-tls:index:DnsRecords::internal-dns"

        assert self.made(former_parent="internal-dns").aliases == ((f"internal-dns-challenge-{SHOP}", parent),)
        assert self.made().aliases == ()


def test_a_host_below_a_wildcard_is_redirected_with_it() -> None:
    hosts = ["a.test", "shop.a.test", "*.a.test", "*.deep.a.test", "*.b.test"]
    spec = istio.redirect_spec("istio-system/http-test", hosts)
    assert spec["hosts"] == ["a.test", "*.a.test", "*.b.test"], "Istio refuses both in one VirtualService"
    listed = istio.http_gateway_spec({}, hosts)["servers"][0]["hosts"]
    assert [istio.split_host(host, "team") for host in listed] == [("team", host) for host in hosts], (
        "of a Gateway, both"
    )


@pytest.mark.parametrize(
    ("routes_from", "listed"),
    [
        ([], ["./a.test", "./*.b.test"]),
        (["shop"], ["./a.test", "shop/a.test", "./*.b.test", "shop/*.b.test"]),
        (["shop", "*"], ["a.test", "*.b.test"]),
    ],
    ids=str,
)
def test_a_gateway_lists_the_namespaces_that_may_have_routes_for_a_host(
    routes_from: list[str], listed: list[str]
) -> None:
    hosts = ["a.test", "*.b.test"]
    assert istio.http_gateway_spec({}, hosts, routes_from)["servers"][0]["hosts"] == listed
    spec = istio.tls_gateway_spec({}, [("certs", hosts)], "1.3", [], routes_from=routes_from)
    assert spec["servers"][0]["hosts"] == listed


def test_a_host_with_an_owner_accepts_routes_of_the_owner_alone_and_on_port_80_of_the_gateways_namespace() -> None:
    hosts, owners = ["a.test", "*.b.test"], [("a.test", "team")]
    spec = istio.tls_gateway_spec({}, [("certs", hosts)], "1.3", [], routes_from=["shop"], owners=owners)
    assert spec["servers"][0]["hosts"] == ["team/a.test", "./*.b.test", "shop/*.b.test"]
    spec = istio.tls_gateway_spec({}, [("certs", hosts)], "1.3", [], routes_from=["*"], owners=owners)
    assert spec["servers"][0]["hosts"] == ["team/a.test", "*.b.test"]
    plain = istio.http_gateway_spec({}, hosts, ["shop"], ["a.test"])["servers"][0]["hosts"]
    assert plain == ["./a.test", "./*.b.test", "shop/*.b.test"]


@pytest.mark.parametrize("api", ["istio", "gateway"])
def test_a_host_with_an_owner_has_no_route_of_the_program(api: str) -> None:
    owned = {"host": "a.test.dev", "owner": "team"}
    args = {"api": api, "credentials": [{"secret_name": "certs", "hosts": ["a.test.dev"]}], "hosts": [owned]}
    registered = run(lambda: TlsGateway("tls", args))  # type: ignore[arg-type]
    kinds = [resource.inputs["kind"] for resource in registered if "kind" in resource.inputs]
    assert kinds == ["Gateway"]


OF_A = {"host": "*.test.dev", "owner": "a"}


@pytest.mark.parametrize(
    ("hosts", "routes_from", "where"),
    [
        ([OF_A, {"host": "b.test.dev", "owner": "b"}], [], "hosts[1].owner"),
        ([OF_A, {"host": "b.c.test.dev", "routes": [ROUTE]}], [], "hosts[1].owner"),
        ([{"host": "*.test.dev", "routes": [ROUTE]}, {"host": "b.test.dev", "owner": "b"}], ["a"], "routes_from"),
        ([OF_A, {"host": "b.test.dev", "owner": "a"}], ["c"], None),
        ([{"host": "*.test.dev", "routes": [ROUTE]}, {"host": "b.test.dev", "owner": "b"}], ["b"], None),
        ([OF_A, {"host": "test.dev", "routes": [ROUTE]}], ["c"], None),
    ],
)
def test_nobody_has_routes_for_a_host_through_a_wildcard_above_it(
    hosts: list[dict[str, Any]], routes_from: list[str], where: str | None
) -> None:
    credentials = [{"secret_name": f"certs-{number}", "hosts": [host["host"]]} for number, host in enumerate(hosts)]
    args: Any = {"credentials": credentials, "hosts": hosts, "routes_from": routes_from}
    if where is None:
        run(lambda: TlsGateway("tls", args))
        return
    with pytest.raises(InputsError, match=re.escape(where)):
        run(lambda: TlsGateway("tls", args))


@pytest.mark.parametrize(
    ("listed", "read"),
    [
        ("a.test", ("*", "a.test")),
        ("*/A.Test", ("*", "a.test")),
        ("./*.a.test", ("team", "*.a.test")),
        ("shop/a.test", ("shop", "a.test")),
        ("./*", ("team", "*")),
    ],
)
def test_every_form_of_a_gateways_host_is_read(listed: str, read: tuple[str, str]) -> None:
    assert istio.split_host(listed, "team") == read


class TestGatewayCertificate:
    @pytest.mark.parametrize(
        ("host", "profile", "named"),
        [
            ("shop.sandbox.test", None, True),
            ("a" * 59 + ".test", "classic", True),
            ("a" * 60 + ".test", None, False),
            ("shop.sandbox.test", "tlsserver", False),
            ("shop.sandbox.test", "shortlived", False),
        ],
    )
    def test_there_is_a_common_name_only_where_one_fits(self, host: str, profile: str | None, named: bool) -> None:
        credentials: Any = [{"secret_name": "certs", "hosts": [host]}]
        args: Any = {"issuer": "ca", "credentials": credentials, "profile": profile}
        (certificate,) = run(lambda: GatewayCertificate("certificate", args)).of(CERTIFICATE)

        assert ("commonName" in certificate.inputs["spec"]) is named
        assert certificate.inputs["spec"]["dnsNames"] == [host], "it is always among the names"

    def test_the_first_expiry_counts(self) -> None:
        statuses = [{"notAfter": "2026-02-01T00:00:00Z"}, {"notAfter": "2026-01-01T00:00:00Z"}, None, {}]

        assert earliest(statuses, "notAfter") == "2026-01-01T00:00:00Z"


def routes_of(host: Any, **options: Any) -> list[dict[str, Any]]:
    """The routes of a host's VirtualService."""
    routes: list[dict[str, Any]] = istio.virtual_service_spec("gw", {"host": "shop.test", **host}, **options)["http"]
    return routes


class TestTlsGateway:
    def test_tls_1_3_takes_no_cipher_list(self) -> None:
        (server,) = istio.tls_gateway_spec({}, [("certs", ["a.test"])], "1.3", ["ECDHE-ECDSA-AES128-GCM-SHA256"])[
            "servers"
        ]
        assert server["tls"]["minProtocolVersion"] == "TLSV1_3"
        assert "cipherSuites" not in server["tls"]

    def test_the_most_specific_route_is_tried_first(self) -> None:
        one, two = {"name": "x-a", "exact": "1"}, {"name": "x-b", "prefix": "2"}
        routes: list[Any] = [
            {"path": "/"},
            {"path": "/v2"},
            {"path": "/v"},
            {"headers": [one]},
            {"headers": [one, two]},
        ]
        others: list[Any] = [{"exact": "/x"}, {"regex": "/x"}, {"regex": "/xx"}]
        http = routes_of({"routes": [{**ROUTE, **route} for route in [*routes, *others]]})

        assert [route["match"][0] for route in http] == [
            {"uri": {"exact": "/x"}},
            {"uri": {"prefix": "/v2"}},
            {"uri": {"prefix": "/v"}},
            {"uri": {"prefix": "/"}, "headers": {"x-a": {"exact": "1"}, "x-b": {"prefix": "2"}}},
            {"uri": {"prefix": "/"}, "headers": {"x-a": {"exact": "1"}}},
            {"uri": {"regex": "/xx"}},
            {"uri": {"regex": "/x"}},
            {"uri": {"prefix": "/"}},
        ], "Istio takes the first match, and / matches everything"

    @pytest.mark.parametrize(
        ("route", "rewrite"),
        [
            ({"path": "/a", "rewrite": "/b"}, {"uri": "/b"}),
            ({"exact": "/a", "rewrite": "/b/"}, {"uri": "/b/"}),
            ({"path": "/a.b", "rewrite": "/"}, {"uriRegexRewrite": {"match": r"^/a\.b/?(.*)$", "rewrite": r"/\1"}}),
            ({"path": "/a/", "rewrite": "/b"}, {"uriRegexRewrite": {"match": "^/a/?(.*)$", "rewrite": r"/b/\1"}}),
            ({"rewrite": "/b"}, {"uriRegexRewrite": {"match": "^/?(.*)$", "rewrite": r"/b/\1"}}),
            (
                {"regex": "/a/(x|y)", "rewrite": r"/\1"},
                {"uriRegexRewrite": {"match": "^(?:/a/(x|y))$", "rewrite": r"/\1"}},
            ),
        ],
        ids=str,
    )
    def test_a_path_is_replaced_with_one_slash_before_the_rest(self, route: Any, rewrite: Any) -> None:
        (spec,) = routes_of({"routes": [{**ROUTE, **route}]})
        assert spec["rewrite"] == rewrite

    def test_pages_of_other_origins_may_request_what_the_route_says(self) -> None:
        cors = {"allow_origins": ["https://a.test", "*"], "allow_methods": ["PUT"], "max_age": 60}
        (spec,) = routes_of({"routes": [{**ROUTE, "cors": cors}]})
        assert spec["corsPolicy"] == {
            "allowOrigins": [{"exact": "https://a.test"}, {"regex": ".*"}],
            "allowMethods": ["PUT"],
            "allowCredentials": False,
            "maxAge": "60s",
            "unmatchedPreflights": "IGNORE",
        }

    def test_a_canary_gets_its_share_and_the_route_the_rest(self) -> None:
        canary = {"service": "next", "namespace": "shop", "port": 8080, "weight": 5}
        (spec,) = routes_of({"routes": [{**ROUTE, "canary": canary}]})
        assert [(one["destination"]["host"], one["weight"]) for one in spec["route"]] == [
            ("shop.shop.svc.cluster.local", 95), ("next.shop.svc.cluster.local", 5),
        ]  # fmt: skip

    def test_a_mirror_gets_copies_of_all_requests_or_of_a_share(self) -> None:
        mirror = {"service": "next", "namespace": "shop", "port": 8080}
        every, some = routes_of(
            {"routes": [{**ROUTE, "mirror": mirror}, {**ROUTE, "path": "/a", "mirror": {**mirror, "percent": 5}}]}
        )[::-1]
        assert every["mirror"] == {"host": "next.shop.svc.cluster.local", "port": {"number": 8080}}
        assert (every["mirrorPercentage"], some["mirrorPercentage"]) == ({"value": 100}, {"value": 5})
        assert len(every["route"]) == 1, "its answers go nowhere"

    def test_a_route_has_its_timeout_its_retries_and_the_headers_of_its_host(self) -> None:
        own: Any = {**ROUTE, "timeout": 5, "retries": 0, "response_headers": {"x-b": "100%"}}
        (route,) = routes_of({"routes": [own], "response_headers": {"x-a": "1", "x-b": "2"}})

        assert (route["timeout"], route["retries"]) == ("5s", {"attempts": 0}), "none is not Istio's default"
        assert route["headers"]["response"]["set"] == {"x-a": "1", "x-b": "100%%"}, "Envoy takes % for a variable"

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            ({"routes": [ROUTE]}, "route"),
            ({"redirect_to": "b.test"}, "redirect"),
            ({"maintenance": True, "routes": [ROUTE]}, "directResponse"),
        ],
    )
    def test_every_answer_has_hsts_and_a_wildcard_s_is_not_for_the_hosts_below_it(
        self, answer: dict[str, Any], kind: str
    ) -> None:
        others = ["shop.a.test", "*.deep.a.test", "a.test", "*.a.test", "shopa.test"]
        (route,) = routes_of({"host": "*.a.test", **answer}, hsts=60, others=others)

        assert kind in route
        assert route["headers"]["response"]["set"]["strict-transport-security"] == "max-age=60"
        (match,) = route["match"]
        pattern = match["withoutHeaders"][":authority"]["regex"]
        for below in ("shop.a.test", "SHOP.a.test", "shop.a.test:443", "x.deep.a.test"):
            assert re.fullmatch(pattern, below), "Istio would give it the wildcard's answer where that is older"
        for own in ("a.test", "x.a.test", "shopXa.test", "deep.a.test", "x-shop.a.test"):
            assert not re.fullmatch(pattern, own), f"{own} is the wildcard's, or nobody's"
        exact = {"host": "shop.a.test", **answer}
        assert routes_of(exact, others=["*.a.test", "x.a.test"]) == routes_of(exact), "it has no hosts below it"

    @pytest.mark.parametrize(
        ("host", "problem"),
        [
            ({}, r"routes is missing: a host has routes, an owner, a redirect, or is in maintenance"),
            ({"redirect_to": "b.test", "routes": [ROUTE]}, r"routes: contradicts the redirect"),
            ({"redirect_to": "b.test", "maintenance": True}, r"maintenance: contradicts the redirect"),
            ({"redirect_to": "a.test"}, r"redirect_to is the host itself"),
            (
                {"routes": [{**ROUTE, "cors": {"allow_origins": ["*"], "allow_credentials": True}}]},
                r"routes\[0\]\.cors\.allow_credentials: contradicts the origin",
            ),
            (
                {"routes": [{**ROUTE, "cors": {"allow_origins": ["https://a.test/b"]}}]},
                r"routes\[0\]\.cors\.allow_origins\[0\]: 'https://a.test/b' is not https://HOST",
            ),
            ({"routes": [ROUTE, ROUTE]}, r"routes\[1\]\.path is the path of an earlier route"),
            ({"routes": [{**ROUTE, "exact": "/a"}] * 2}, r"routes\[1\]\.exact is the path of an earlier route"),
            (
                {"routes": [{**ROUTE, "exact": "/a", "path": "/"}]},
                r"routes\[0\]: set exactly one of exact, path or regex",
            ),
            (
                {"routes": [{**ROUTE, "rewrite": r"/\1"}]},
                r"routes\[0\]\.rewrite: names the group 1, and only regex has groups",
            ),
            (
                {"routes": [{**ROUTE, "regex": "/(a)", "rewrite": r"/\2"}]},
                r"routes\[0\]\.rewrite: names the group 2, which regex does not have",
            ),
            ({"routes": [{**ROUTE, "regex": "/a"}] * 2}, r"routes\[1\]\.regex is the path of an earlier route"),
            (
                {"routes": [{**ROUTE, "headers": [{"name": "x-a"}]}]},
                r"routes\[0\]\.headers\[0\]: set exactly one of exact or prefix",
            ),
            (
                {"routes": [ROUTE], "response_headers": {"content-length": "1"}},
                r"response_headers: .* has content-length, which belongs to the connection",
            ),
        ],
    )
    @pytest.mark.parametrize("late", [False, True])
    def test_a_host_that_contradicts_itself_is_refused(self, host: dict[str, Any], problem: str, late: bool) -> None:
        def program() -> None:
            # The value of an Output is known when the program has run.
            inputs = {key: pulumi.Output.from_input(value) if late else value for key, value in host.items()}
            TlsGateway("tls", tls(hosts=[{"host": "a.test", **inputs}]))

        with pytest.raises(InputsError, match=rf"hosts\[0\]\.{problem}"):
            run(program)

    @pytest.mark.parametrize(
        ("second", "problem"),
        [
            ({"secret_name": "certs", "hosts": ["b.test"]}, r"secret_name is the Secret of earlier credentials"),
            ({"secret_name": "b", "hosts": ["A.test"]}, r"hosts\[0\] has another certificate already"),
        ],
    )
    def test_credentials_that_browsers_or_istio_would_trip_over_are_refused(self, second: Any, problem: str) -> None:
        credentials = [{"secret_name": "certs", "hosts": ["a.test"]}, second]
        with pytest.raises(InputsError, match=rf"credentials\[1\]\.{problem}"):
            run(lambda: TlsGateway("tls", tls(credentials=credentials)))

    def test_a_wildcard_is_served_but_has_no_url(self) -> None:
        hosts = [{"host": host, "routes": [ROUTE]} for host in ("*.sandbox.test", "shop.sandbox.test")]
        done = run(lambda: pulumi.export("urls", TlsGateway("tls", tls(hosts=hosts)).urls))

        wildcard, exact = done.of(VIRTUAL_SERVICE)
        assert wildcard.inputs["metadata"]["name"] == "sandbox.test-wildcard", "no * in names"
        assert "withoutHeaders" in wildcard.inputs["spec"]["http"][0]["match"][0], "it leaves the other one's requests"
        assert "withoutHeaders" not in exact.inputs["spec"]["http"][0]["match"][0]
        assert done.outputs["urls"] == ["https://shop.sandbox.test"]
