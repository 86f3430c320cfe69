"""The stack config: what is accepted, and how everything else is refused."""

import json
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from components.problem import ProblemsError
from config.crosschecks import cross_checks
from config.decoding import decode
from config.models import Settings
from tests.unit.harness import PROJECT, engine_config, good_config

DIGEST = f"sha256:{'a' * 64}"
HOST = {"host": "shop.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
TO = {"service": "a", "namespace": "a", "port": 1}


def load(config: dict[str, Any], secret: tuple[str, ...] = ()) -> Settings:
    """Decode a config as the engine hands it over."""
    hidden = {f"{PROJECT}:{key}" for key in secret}
    return decode(Settings, engine_config(config), PROJECT, "dev", secret=hidden, cross_check=cross_checks)


def settings(**changes: Any) -> Settings:
    return load(good_config(**changes))


def refusal(secret: tuple[str, ...] = (), config: dict[str, Any] | None = None, **changes: Any) -> str:
    with pytest.raises(ProblemsError) as refused:
        load(good_config(**changes) if config is None else config, secret)
    return str(refused.value)


def acme(**changes: Any) -> dict[str, Any]:
    return {"email": "platform@sandbox.test", "issuer": "staging", **changes}


def test_a_minimal_config_gets_the_documented_defaults() -> None:
    loaded = settings()

    assert loaded.challenge == "http01"
    assert loaded.dns.ttl == 300
    assert (loaded.ingress.namespace, loaded.ingress.service) == ("istio-system", "istio-ingressgateway")
    assert loaded.certificate.algorithm == "ECDSA"
    assert loaded.tls.min_version == "1.2"
    assert len(loaded.tls.cipher_suites) == 6, "Mozilla's intermediate profile has six"


@pytest.mark.parametrize(
    ("changes", "key", "words", "command"),
    [
        pytest.param(
            {"acme": acme(externalAccount={"prod": {"keyId": "kid", "keySecret": "c2VjcmV0IGtleSBzZWNyZXQga2V5"}})},
            "acme.externalAccount.prod.keySecret",
            "stands in plain text",
            "--secret --path acme.externalAccount.prod.keySecret",
            id="an HMAC key in plain text",
        ),
        pytest.param(
            {"acme": acme(externalAccount={"prod": {"keyId": "kid"}})},
            "acme.externalAccount.prod.keySecret",
            "not set",
            "--secret --path acme.externalAccount.prod.keySecret",
            id="no HMAC key",
        ),
        pytest.param(
            {"acme": acme(waitInsteadOfSelfCheck=30), "certManager": {"version": "v1.20.3"}},
            "certManager.version",
            "does not know acme.waitInsteadOfSelfCheck",
            "certManager.version v1.21.2",
            id="a wait that cert-manager does not know",
        ),
        pytest.param(
            {"certManager": {"version": "v1.20.3", "values": {"featureGates": "ACMEUseARI=true"}}},
            "certManager.version",
            "does not renew by ARI",
            "certManager.version v1.21.2",
            id="ARI before 1.21.2",
        ),
        pytest.param(
            {"ingress": {"address": "promote"}},
            "ingress.region",
            "not set",
            "ingress.region REGION",
            id="no region of the address",
        ),
        pytest.param(
            {"ingress": {"address": "promote", "family": "ipv6", "region": "europe-west1"}},
            "ingress.address",
            "has no effect on an IPv6 address",
            "ingress.address ephemeral",
            id="an IPv6 address to promote",
        ),
        pytest.param({"acme": {"issuer": "staging"}}, "acme.email", "not set", "acme.email", id="no e-mail"),
        pytest.param(
            {"acme": acme(email="platform")},
            "acme.email",
            '"platform" is not an e-mail',
            "acme.email",
            id="malformed e-mail",
        ),
        pytest.param(
            {"acme": acme(email="me@example.com")},
            "acme.email",
            "Let's Encrypt refuses",
            "acme.email",
            id="example e-mail",
        ),
        pytest.param(
            {"acme": acme(issuer="production")},
            "acme.issuer",
            '"production" is not accepted; accepted: staging or prod',
            "acme.issuer staging",
            id="issuer",
        ),
        pytest.param(
            {"acme": acme(caBundle="nonsense")}, "acme.caBundle", "is not PEM", "acme.caBundle", id="CA bundle"
        ),
        pytest.param(
            {"acme": acme(servers={"prod": "http://ca.test/dir"})},
            "acme.servers.prod",
            "is not an https:// URL",
            "acme.servers.prod",
            id="plain HTTP directory",
        ),
        pytest.param({"hosts": []}, "hosts[0].host", "not set", "'hosts[0].host'", id="empty hosts"),
        pytest.param(
            {"hosts": [HOST, {**HOST, "host": "SHOP.sandbox.test."}]},
            "hosts[1].host",
            "same name as hosts[0].host",
            "'hosts[1]'",
            id="duplicate host, written differently",
        ),
        pytest.param(
            {"hosts": [{**HOST, "host": "shop_1.sandbox.test"}]},
            "hosts[0].host",
            "has the label 'shop_1'",
            "'hosts[0].host'",
            id="invalid name",
        ),
        pytest.param(
            {"hosts": [{**HOST, "host": f"{'a' * 64}.test"}]},
            "hosts[0].host",
            "has a label of 64 characters",
            "'hosts[0].host'",
            id="long label",
        ),
        pytest.param(
            {"hosts": [{**HOST, "host": ".".join(["a" * 60] * 5)}]},
            "hosts[0].host",
            "has 304 characters",
            "'hosts[0].host'",
            id="long name",
        ),
        pytest.param(
            {"hosts": [{**HOST, "host": "shop.example.org"}]},
            "hosts[0].host",
            "lies in example.org",
            "'hosts[0].host'",
            id="example host",
        ),
        pytest.param(
            {"hosts": [{**HOST, "host": "shop.your-domain.com"}]},
            "hosts[0].host",
            "is a placeholder",
            "'hosts[0].host'",
            id="placeholder host",
        ),
        pytest.param(
            {"hosts": [{**HOST, "host": "*.sandbox.test"}]},
            "hosts[0].host",
            "is a wildcard",
            "challenge dns01",
            id="wildcard with HTTP-01",
        ),
        pytest.param(
            {"hosts": [{**HOST, "port": 65536}]},
            "hosts[0].port",
            "65536 is not accepted; accepted: the Service's port, 1 to 65535",
            "'hosts[0].port' 80",
            id="port",
        ),
        pytest.param(
            {"hosts": [{"host": "shop.sandbox.test"}]},
            "hosts[0].service",
            "not set",
            "'hosts[0].service'",
            id="no destination",
        ),
        pytest.param(
            {"hosts": [{**HOST, "routes": [{"service": "a", "namespace": "a", "port": 1}]}]},
            "hosts[0].service",
            "contradicts",
            "config rm --path 'hosts[0].service'",
            id="two kinds of destination",
        ),
        pytest.param(
            {"hosts": [{"host": "a.sandbox.test", "routes": [{"service": "a", "namespace": "a", "port": 1}] * 2}]},
            "hosts[0].routes[1].path",
            "path of an earlier route",
            "'hosts[0].routes[1].path'",
            id="duplicate path",
        ),
        pytest.param(
            {"hosts": [{**HOST, "redirectTo": "other.sandbox.test"}]},
            "hosts[0].service",
            "contradicts redirectTo",
            "config rm --path 'hosts[0].service'",
            id="a redirect with a destination",
        ),
        pytest.param(
            {"hosts": [{"host": "a.sandbox.test", "redirectTo": "b.sandbox.test", "maintenance": True}]},
            "hosts[0].maintenance",
            "contradicts redirectTo",
            "config rm --path 'hosts[0].maintenance'",
            id="a redirect in maintenance",
        ),
        pytest.param(
            {"hosts": [{"host": "a.sandbox.test", "redirectTo": "*.sandbox.test"}]},
            "hosts[0].redirectTo",
            "is a wildcard",
            "'hosts[0].redirectTo' YOUR-DOMAIN",
            id="a redirect to a wildcard",
        ),
        pytest.param(
            {"hosts": [{"host": "a.sandbox.test", "redirectTo": "A.sandbox.test."}]},
            "hosts[0].redirectTo",
            "leads in a circle",
            "config rm --path 'hosts[0].redirectTo'",
            id="a redirect to itself",
        ),
        pytest.param(
            {
                "challenge": "dns01",
                "hosts": [
                    {"host": "a.sandbox.test", "redirectTo": "b.sandbox.test"},
                    {"host": "*.sandbox.test", "redirectTo": "a.sandbox.test"},
                ],
            },
            "hosts[1].redirectTo",
            "leads in a circle",
            "config rm --path 'hosts[1].redirectTo'",
            id="redirects in a circle, over a wildcard",
        ),
        pytest.param(
            {"hosts": [{**HOST, "responseHeaders": {"x-a": "1\r\nset-cookie: a=b"}}]},
            "hosts[0].responseHeaders",
            "has a value of x-a that has characters that are not visible ASCII",
            "'hosts[0].responseHeaders'",
            id="a header that breaks out",
        ),
        pytest.param(
            {"hosts": [{**HOST, "responseHeaders": {"Strict-Transport-Security": "max-age=1"}}]},
            "hosts[0].responseHeaders",
            "has a setting of its own: hsts",
            "'hosts[0].responseHeaders'",
            id="HSTS by hand",
        ),
        pytest.param(
            {"hosts": [{**HOST, "path": "/a\x00b"}]},
            "hosts[0].path",
            "has the character U+0000",
            "'hosts[0].path' /",
            id="a path with NUL",
        ),
        pytest.param(
            {"hosts": [{**HOST, "path": "/" + "a" * 1024}]},
            "hosts[0].path",
            "has 1025 characters",
            "'hosts[0].path' /",
            id="a path that is too long",
        ),
        pytest.param(
            {"hosts": [{**HOST, "timeout": 0}]}, "hosts[0].timeout", "0 is not accepted", "timeout' 60", id="no time"
        ),
        pytest.param(
            {"hosts": [{"host": "a.sandbox.test", "routes": [{**TO, "headers": [{"name": "x-a"}]}]}]},
            "hosts[0].routes[0].headers[0]",
            "has both or none of exact and prefix",
            "'hosts[0].routes[0].headers[0].exact' VALUE",
            id="a header without a value",
        ),
        pytest.param(
            {
                "hosts": [
                    {
                        "host": "a.sandbox.test",
                        "routes": [
                            {**TO, "headers": [{"name": "X-A", "exact": "1"}]},
                            {**TO, "headers": [{"name": "x-a", "exact": "1"}]},
                        ],
                    }
                ]
            },
            "hosts[0].routes[1].path",
            "path of an earlier route with the same headers",
            "'hosts[0].routes[1].path'",
            id="duplicate path and headers",
        ),
        pytest.param({"dns": {}}, "dns.zone", "not set", "dns.zone", id="no zone"),
        pytest.param({"dns": "sandbox"}, "dns", '"sandbox"', "pulumi config set", id="not an object"),
        pytest.param(
            {"dns": {"zone": "sandbox", "tll": 5}},
            "dns.tll",
            "did you mean ttl?",
            "--path dns.ttl 5",
            id="unknown nested key",
        ),
        pytest.param(
            {"certmanager": {}},
            "certmanager",
            "did you mean certManager?",
            "config rm certmanager",
            id="unknown key",
        ),
        pytest.param({"mtls": "on"}, "mtls", '"on"', "config set mtls permissive", id="mtls"),
        pytest.param(
            {"mtls": "strict", "hosts": [{**HOST, "namespace": "istio-system"}]},
            "mtls",
            "the gateway's own namespace, where the ACME solver runs",
            "config set mtls permissive",
            id="strict where the solver runs",
        ),
        pytest.param(
            {"mtls": "strict", "ingress": {"namespace": "gateways"}, "hosts": [{**HOST, "namespace": "istio-system"}]},
            "mtls",
            "the mesh's root namespace",
            "config set mtls permissive",
            id="strict for the whole mesh",
        ),
        pytest.param(
            {"tls": {"clientCa": "Not A Secret"}},
            "tls.clientCa",
            "is not a Kubernetes name",
            "tls.clientCa",
            id="a client CA that is neither",
        ),
        pytest.param(
            {"tls": {"clientCa": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}},
            "tls.clientCa",
            "is not PEM",
            "$(cat client-ca.pem)",
            id="a client CA that is no PEM",
        ),
        pytest.param({"protect": "maybe"}, "protect", '"maybe"', "protect true", id="boolean"),
        pytest.param(
            {"certManager": {"version": "v1.20.0"}},
            "certManager.version",
            "GHSA-8rvj-mm4h-c258",
            "certManager.version v1",
            id="vulnerable version",
        ),
        pytest.param(
            {"certificate": {"algorithm": "RSA", "size": 256}},
            "certificate.size",
            "256 is not a size of RSA keys",
            "certificate.size 2048",
            id="key size",
        ),
        pytest.param({"tls": {"minVersion": "1.1"}}, "tls.minVersion", '"1.1"', "tls.minVersion 1.2", id="old TLS"),
        pytest.param(
            {"tls": {"cipherSuites": ["AES128-SHA"]}}, "tls.cipherSuites[0]", "Mozilla", "config set", id="cipher"
        ),
        pytest.param({"tls": {"hsts": 300}}, "tls.hsts", "lock browsers out", "tls.hsts 0", id="HSTS on staging"),
        pytest.param(
            {"gke": {"cluster": "a", "location": "b"}},
            "kubeconfig",
            "contradicts gke",
            "config rm kubeconfig",
            id="two clusters",
        ),
        pytest.param({"gcp:project": ""}, "gcp:project", "not set", "gcp:project", id="no project"),
    ],
)
def test_a_bad_value_is_named_with_the_key_and_the_command(
    changes: dict[str, Any], key: str, words: str, command: str
) -> None:
    report = refusal(**changes)

    lines = report.splitlines()
    line = next((at for at, text in enumerate(lines) if text.startswith(f"  {key}: ")), None)
    assert line is not None, f"{key} is not named in:\n{report}"
    assert words in lines[line], "the value and what is wrong with it"
    assert "; accepted: " in lines[line], "what would be right"
    assert "pulumi config" in lines[line + 1], "the command that fixes it"
    assert command in lines[line + 1], "the command that fixes it"


def test_one_mistake_is_one_problem() -> None:
    assert "has a problem:" in refusal(hosts=[{**HOST, "port": 0}]), "nothing else is wrong"


def test_all_problems_are_reported_at_once() -> None:
    report = refusal(
        acme={"issuer": "x"},
        hosts=[{**HOST, "port": 0}, {**HOST, "host": "*.sandbox.test"}, HOST],
        dns={},
        protcet="true",
    )

    for key in ("acme.email", "acme.issuer", "hosts[0].port", "hosts[1].host", "hosts[2].host", "dns.zone", "protcet"):
        assert f"  {key}: " in report, f"{key} is wrong as well"
    assert "has 7 problems:" in report, "they are counted"


def test_an_empty_config_names_every_required_key() -> None:
    report = refusal(config={})

    for key in ("acme.email", "acme.issuer", "dns.zone", "gcp:project", "hosts[0].host", "hosts[0].port"):
        assert f"  {key}: not set" in report, f"{key} is required"


def test_an_encrypted_value_is_never_shown() -> None:
    report = refusal(secret=("acme", "emial", "hosts"), acme=acme(email="hidden"), hosts=[HOST, HOST], emial="hidden")

    assert "hidden" not in report, "it is a secret"
    assert '"shop.sandbox.test"' not in report, "so is this one"
    assert "[secret]" in report, "and it is said that there is a value"


def test_a_reason_that_would_quote_an_encrypted_value_is_left_out() -> None:
    report = refusal(secret=("hosts",), hosts=[{**HOST, "host": "hunter_2.sandbox.test"}])

    assert "hunter" not in report, "the label with the underscore is a part of the secret"
    assert 'hosts[0].host: "[secret]" is not accepted' in report


class TestIssuers:
    def test_those_of_a_namespace_cannot_use_the_access_to_cloud_dns(self) -> None:
        report = refusal(challenge="dns01", acme=acme(issuerKind="Issuer"))

        assert 'acme.issuerKind: "Issuer" cannot prove names by dns01' in report
        assert "pulumi config set --path acme.issuerKind ClusterIssuer" in report

    def test_those_that_somebody_else_made_may_have_credentials_of_their_own(self) -> None:
        loaded = settings(challenge="dns01", acme=acme(issuerKind="Issuer", createIssuers=False))

        assert loaded.acme.issuer_kind == "Issuer"

    def test_one_host_with_dns01_is_enough(self) -> None:
        report = refusal(acme=acme(issuerKind="Issuer"), hosts=[{**HOST, "challenge": "dns01"}])

        assert 'acme.issuerKind: "Issuer" cannot prove names by dns01' in report

    @pytest.mark.parametrize("key", ["dnsNames", "dnsZones"])
    def test_names_that_an_issuer_of_a_namespace_does_not_take_are_refused(self, key: str) -> None:
        report = refusal(acme=acme(issuerKind="Issuer", **{key: ["blog.sandbox.test"]}))

        assert f'acme.{key}: ["blog.sandbox.test"] has no effect' in report
        assert f"pulumi config rm --path acme.{key}" in report

    def test_they_come_with_cert_manager(self) -> None:
        assert settings().creates_issuers
        assert not settings(certManager={"install": False}).creates_issuers
        assert settings(certManager={"install": False}, acme=acme(createIssuers=True)).creates_issuers


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ({"digest": "sha256:abc"}, 'certManager.digest: "sha256:abc" is not sha256: and 64 hexadecimal digits'),
        ({"digest": DIGEST, "chart": "./chart"}, 'certManager.chart: "./chart" has no digest that can be compared'),
        ({"keyring": "ring.gpg", "chart": "./chart"}, 'certManager.chart: "./chart" cannot be signed'),
        ({"podSecurity": "strict"}, 'certManager.podSecurity: "strict" is not accepted'),
    ],
)
def test_a_chart_that_would_not_be_verified_is_refused(given_: dict[str, str], reason: str) -> None:
    assert reason in refusal(certManager=given_)


@pytest.mark.parametrize("chart", ["oci://quay.io/jetstack/charts/cert-manager", "charts/cert-manager.tgz"])
def test_a_chart_with_a_digest_and_a_signature_is_accepted(chart: str) -> None:
    loaded = settings(certManager={"chart": chart, "digest": DIGEST, "keyring": "ring.gpg"})

    assert (loaded.cert_manager.digest, loaded.cert_manager.keyring) == (DIGEST, "ring.gpg")


class TestKubeconfig:
    def test_credentials_in_plain_text_are_refused_with_their_place(self) -> None:
        report = refusal(kubeconfig=kubeconfig({"token": "hunter2"}))

        assert 'kubeconfig: "[secret]" holds credentials in plain text, users[0].user.token' in report
        assert "pulumi config set --secret kubeconfig < KUBECONFIG" in report
        assert "hunter2" not in report, "what is shown in a pull request would be one more place that has it"

    def test_credentials_in_a_secret_are_accepted(self) -> None:
        content = kubeconfig({"token": "hunter2"})

        assert load(good_config(kubeconfig=content), ("kubeconfig",)).kubeconfig == content

    @pytest.mark.parametrize(
        "user", [{"client-key": "/pki/admin.key"}, {"exec": {"command": "gke-gcloud-auth-plugin"}}]
    )
    def test_one_without_credentials_may_be_plain(self, user: dict[str, Any]) -> None:
        assert settings(kubeconfig=kubeconfig(user)).kubeconfig

    @pytest.mark.parametrize("secret", [(), ("kubeconfig",)])
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("users:\n- user:\n    token: 'hunter2\n", "is not YAML, from line 4 on"),
            ("hunter2\nhunter2", "is not a mapping"),
            ('{"users": "hunter2"}', "has users that are not a list"),
        ],
    )
    def test_one_that_does_not_parse_is_refused_without_a_line_of_it(
        self, content: str, reason: str, secret: tuple[str, ...]
    ) -> None:
        report = refusal(secret, good_config(kubeconfig=content))

        assert f'kubeconfig: "[secret]" {reason}' in report
        assert "hunter2" not in report, "secret or not, it is not shown"

    def test_one_of_the_wrong_type_is_not_shown(self) -> None:
        given_ = {f"{PROJECT}:kubeconfig": ["hunter2"], "gcp:project": "platform"}

        with pytest.raises(ProblemsError) as refused:
            decode(Settings, given_, PROJECT, "dev", cross_check=cross_checks)
        assert "kubeconfig: " in str(refused.value), "a list is none"
        assert "hunter2" not in str(refused.value), "but may hold one"

    def test_it_may_be_written_as_an_object(self) -> None:
        given_ = {f"{PROJECT}:{key}": value for key, value in good_config(kubeconfig={"users": []}).items()}
        given_["gcp:project"] = "platform"

        assert decode(Settings, given_, PROJECT, "dev").kubeconfig == '{"users": []}', "as the engine hands it over"

    def test_it_is_not_in_what_the_settings_say_of_themselves(self) -> None:
        assert "hunter2" not in repr(load(good_config(kubeconfig=kubeconfig({"token": "hunter2"})), ("kubeconfig",)))


def kubeconfig(user: dict[str, Any]) -> str:
    return json.dumps({"users": [{"name": "admin", "user": user}]})


def test_objects_may_be_decoded_already() -> None:
    given = {f"{PROJECT}:{key}" if ":" not in key else key: value for key, value in good_config().items()}

    assert decode(Settings, given, PROJECT, "dev") == settings(), "as `pulumi config --json` hands them over"


@pytest.mark.parametrize("host", ["shop.invalid", "shop.example", "shop.localhost", "shop", "203.0.113.10", "*."])
def test_what_no_public_authority_signs_is_refused(host: str) -> None:
    assert "hosts[0].host: " in refusal(hosts=[{**HOST, "host": host}]), "reserved, not a full name, or no name"


def test_names_are_normalised() -> None:
    written = ["SHOP.Sandbox.test", "api.sandbox.test.", "BÜCHER.sandbox.test"]
    loaded = settings(hosts=[{**HOST, "host": host} for host in written])

    assert [host.host for host in loaded.hosts] == [
        "shop.sandbox.test",
        "api.sandbox.test",
        "xn--bcher-kva.sandbox.test",
    ]


def test_wildcards_are_accepted_with_dns01() -> None:
    loaded = settings(challenge="dns01", hosts=[{**HOST, "host": "*.sandbox.test"}])

    assert loaded.hosts[0].host == "*.sandbox.test"


@pytest.mark.parametrize("given_", [1.2, "1.2"])
def test_a_tls_version_may_be_a_yaml_number(given_: Any) -> None:
    assert settings(tls={"minVersion": given_}).tls.min_version == "1.2", "YAML reads 1.2 as a number"


def test_a_host_may_have_many_routes() -> None:
    routes = [
        {"service": "a", "namespace": "a", "port": 1},
        {"path": "/b", "service": "b", "namespace": "b", "port": 2},
    ]
    loaded = settings(hosts=[{"host": "a.sandbox.test", "routes": routes}])

    assert [(route.path, route.service) for route in loaded.hosts[0].destinations] == [("/", "a"), ("/b", "b")]


def test_a_ca_bundle_in_pem_is_accepted(authority: str) -> None:
    assert x509.load_pem_x509_certificates(authority.encode()), "the fixture is PEM"
    assert settings(acme=acme(caBundle=authority)).acme.ca_bundle == authority


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-99999, 99999) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from([*(field.alias or name for name, field in Settings.model_fields.items()), "other"])


@given(st.dictionaries(keys, json_values, max_size=5))
def test_any_config_is_settings_or_one_report(changes: dict[str, Any]) -> None:
    outcome: str | Settings
    try:
        outcome = load(good_config(**changes))
    except ProblemsError as refused:
        outcome = str(refused)
    if isinstance(outcome, str):
        assert outcome.startswith("the config of stack 'dev' has"), "no other error, whatever is given"


def test_a_host_may_redirect_or_be_in_maintenance_without_a_destination() -> None:
    loaded = settings(
        hosts=[
            {"host": "www.sandbox.test", "redirectTo": "Sandbox.test."},
            {"host": "sandbox.test", "maintenance": True},
            {**HOST, "host": "a.sandbox.test", "maintenance": True, "timeout": 5},
        ]
    )

    assert [len(host.destinations) for host in loaded.hosts] == [0, 0, 1], "a route waits for the end of maintenance"
    assert loaded.hosts[0].served["redirect_to"] == "sandbox.test", "as a DNS name"


def test_mtls_is_for_the_applications_namespaces_and_not_for_the_gateways_own() -> None:
    hosts = [
        {**HOST, "host": f"{name}.sandbox.test", "namespace": namespace}
        for name, namespace in (("a", "shop"), ("b", "istio-system"), ("c", "shop"), ("d", "api"))
    ]
    assert settings(hosts=hosts, mtls="permissive").mesh_namespaces == ["api", "shop"], "the solver stays out of it"
    assert settings(hosts=hosts).mesh_namespaces == [], "off by default"


class TestChallenges:
    def test_a_host_says_itself_how_it_is_proven(self) -> None:
        hosts = [{**HOST, "host": "*.sandbox.test", "challenge": "dns01"}, HOST]
        loaded = settings(hosts=hosts)

        assert loaded.hosts_proven_by("dns01") == ["*.sandbox.test"]
        assert loaded.hosts_proven_by("http01") == [HOST["host"]], "by what `challenge` says"

    def test_a_wildcard_that_says_http01_is_told_where(self) -> None:
        report = refusal(challenge="dns01", hosts=[{**HOST, "host": "*.sandbox.test", "challenge": "http01"}])

        assert "is a wildcard, which HTTP-01 cannot prove" in report
        assert "pulumi config set --path 'hosts[0].challenge' dns01" in report

    @pytest.mark.parametrize("given", [{"challengeZone": {"zone": "proofs"}}, {"workloadIdentity": True}])
    def test_what_only_dns01_needs_is_refused_without_it(self, given: dict[str, Any]) -> None:
        (key,) = given
        report = refusal(dns={"zone": "sandbox", **given})

        assert "has no effect without dns01" in report
        assert f"pulumi config rm --path dns.{key}, or pulumi config set challenge dns01" in report

    def test_a_pool_has_its_projects_number(self) -> None:
        report = refusal(challenge="dns01", dns={"zone": "sandbox", "workloadPool": "platform.svc.id.goog"})

        assert 'dns.workloadPool: "platform.svc.id.goog" is not projects/NUMBER/' in report


class TestCaa:
    def test_lets_encrypts_domain_is_known(self) -> None:
        assert settings(dns={"zone": "sandbox", "caa": True}).caa_identities == ["letsencrypt.org"]

    def test_another_ca_has_to_be_named(self) -> None:
        servers = {"prod": "https://ca.test/dir"}
        report = refusal(dns={"zone": "sandbox", "caa": True}, acme=acme(servers=servers))

        assert "dns.caaIdentities: not set; accepted: the CAs' domains" in report
        assert "pulumi config set --path 'dns.caaIdentities[0]' CA-DOMAIN" in report
        assert settings(acme=acme(servers=servers)).caa_identities is None, "without CAA records nobody asks"


@pytest.mark.parametrize(
    ("changes", "region"),
    [
        ({"gke": {"cluster": "one", "location": "europe-west1"}}, "europe-west1"),
        ({"gke": {"cluster": "one", "location": "europe-west1-b"}}, "europe-west1"),
        ({"ingress": {"region": "us-east4"}, "gke": {"cluster": "one", "location": "europe-west1"}}, "us-east4"),
        ({}, ""),
    ],
)
def test_the_region_of_the_address_is_the_clusters(changes: dict[str, Any], region: str) -> None:
    config = {key: value for key, value in good_config(**changes).items() if key != "kubeconfig"}

    assert load(config).region == region
