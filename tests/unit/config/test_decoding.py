"""Single values of a config: accepted as they are written, or reported with the key, the value and the fix."""

import json
import shlex
from typing import Any

import pytest

from components.problem import ProblemsError
from config.problems import dotted
from config.reading import read_settings
from tests.unit import harness
from tests.unit.config.support import HOST, acme, load, program, refusal, settings
from tests.unit.harness import PROJECT, good_config

DIGEST = f"sha256:{'a' * 64}"
HMAC_KEY = "c2VjcmV0IGtleSBzZWNyZXQga2V5"


def host(**changes: Any) -> dict[str, Any]:
    return {"hosts": [{**HOST, **changes}]}


BAD_VALUES = [
    ({"gcp:project": ""}, "gcp:project", "not set", "gcp:project PROJECT"),
    ({"protect": "maybe"}, "protect", '"maybe"', "protect true"),
    ({"mtls": "on"}, "mtls", '"on"', "mtls permissive"),
    ({"context": "a\u202eb"}, "context", "has the character U+202E", "context"),
    ({"certmanager": {}}, "certmanager", "did you mean certManager?", "config rm certmanager"),
    ({"acme": None}, "acme.issuer", "not set", "acme.issuer staging"),
    ({"acme": acme(email=None)}, "acme.email", "not set", "acme.email"),
    ({"acme": acme(email="platform")}, "acme.email", '"platform" is not an e-mail', "acme.email"),
    ({"acme": acme(email="me@example.com")}, "acme.email", "Let's Encrypt refuses", "acme.email"),
    ({"acme": acme(issuer="production")}, "acme.issuer", '"production" is not', "acme.issuer staging"),
    ({"acme": acme(caBundle="nonsense")}, "acme.caBundle", "is not PEM", "acme.caBundle"),
    ({"acme": acme(servers={"prod": "http://a.test"})}, "acme.servers.prod", "is not an https:// URL", "prod"),
    ({"acme": acme(servers={"prod": 'https://x";rm'})}, "acme.servers.prod", "is not an https:// URL", "prod"),
    ({"hosts": []}, "hosts[0].host", "not set", "'hosts[0].host'"),
    ({"hosts": "[" * 3000}, "hosts", "is not accepted", "config set hosts"),
    (host(host="shop_1.sandbox.test"), "hosts[0].host", "has the label 'shop_1'", "'hosts[0].host'"),
    (host(host="shop.your-domain.com"), "hosts[0].host", "is a placeholder", "'hosts[0].host'"),
    (host(port=65536), "hosts[0].port", "65536 is not accepted", "'hosts[0].port' 80"),
    (host(timeout=0), "hosts[0].timeout", "0 is not accepted", "'hosts[0].timeout'"),
    (host(path="/" + "a" * 1024), "hosts[0].path", "has 1025 characters", "'hosts[0].path' /"),
    (host(redirectTo="*.sandbox.test"), "hosts[0].redirectTo", "is a wildcard", "redirectTo' YOUR-DOMAIN"),
    (host(responseHeaders={"x-a": "1\r\nset-cookie: a=b"}), "hosts[0].responseHeaders", "x-a", "responseHeaders"),
    (host(response_headers={}), "hosts[0].response_headers", "did you mean responseHeaders?", "config rm --path"),
    (host(routes=5), "hosts[0].routes", "is not accepted", "'hosts[0].routes'"),
    ({"dns": {}}, "dns.zone", "not set", "dns.zone"),
    ({"dns": "sandbox"}, "dns", '"sandbox"', "config set dns"),
    ({"dns": {"zone": "$(id)"}}, "dns.zone", "is not a name in Google Cloud", "dns.zone"),
    ({"dns": {"zone": "sandbox", "tll": 5}}, "dns.tll", "did you mean ttl?", "--path dns.ttl 5"),
    ({"dns": {"zone": "a", "workloadPool": "p.svc.id.goog"}}, "dns.workloadPool", "is not projects/NUMBER/", "Pool"),
    ({"dns": {"zone": "a", "workloadPool": "projects/\u0661/locations/global/workloadIdentityPools/p.svc.id.goog"}},
     "dns.workloadPool", "is not projects/NUMBER/", "Pool"),
    ({"ingress": {"selector": {"a b": "c"}}}, "ingress.selector", "has a", "ingress.selector"),
    ({"alertLabels": {"a": "b;c"}}, "alertLabels", "has a", "alertLabels"),
    ({"gateways": [{"name": {"a": 1}, "ingress": {}, **host()}]}, "gateways[0].name", "is not accepted", "name"),
    ({"certManager": {"version": "v1.20.0"}}, "certManager.version", "GHSA-8rvj-mm4h-c258", "version v1"),
    ({"certManager": {"version": "v\u0661.21.2"}}, "certManager.version", "is not a chart version", "version v1"),
    ({"certManager": {"digest": "sha256:abc"}}, "certManager.digest", "64 hexadecimal digits", "digest"),
    ({"certManager": {"podSecurity": "strict"}}, "certManager.podSecurity", '"strict"', "podSecurity"),
    ({"certManager": {"keyring": ""}}, "certManager.keyring", "is not accepted", "certManager.keyring"),
    ({"tls": {"minVersion": "1.1"}}, "tls.minVersion", '"1.1"', "tls.minVersion 1.2"),
    ({"tls": {"cipherSuites": ["AES128-SHA"]}}, "tls.cipherSuites[0]", '"AES128-SHA" is not accepted', "config set"),
    ({"tls": {"clientCa": "Client_CA"}}, "tls.clientCa", "is not a Kubernetes name", "tls.clientCa"),
    ({"tls": {"clientCa": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}},
     "tls.clientCa", "is not PEM", "$(cat client-ca.pem)"),
    # Values that Pulumi or Kubernetes cannot round-trip.
    (host(path="/a\x00b"), "hosts[0].path", "has the character U+0000", "'hosts[0].path' /"),
    ({"certManager": '{"values": {"a": ' + "9" * 5000 + "}}"}, "certManager", "is not accepted", "certManager"),
    ({"certManager": {"values": {"a": 10**40}}}, "certManager.values.a", "is not kept exactly", "values"),
    ({"certManager": '{"values": {"a": NaN}}'}, "certManager.values.a", "is not a finite number", "values"),
    ({"certManager": '{"values": {"a": "\\ud800"}}'}, "certManager.values.a", "the character U+D800", "values"),
    ({"certManager": {"values": {"a\x00": 1}}}, "certManager.values", "is the name of a key", "values"),
]  # fmt: skip
"""A config with a bad value: its key, a part of the reason, and a part of the command that fixes it."""


@pytest.mark.parametrize(("changes", "key", "reason", "fix"), BAD_VALUES)
def test_a_bad_value_is_reported_with_its_key_and_the_command_that_fixes_it(
    changes: dict[str, Any], key: str, reason: str, fix: str
) -> None:
    report = refusal(**changes)

    lines = report.splitlines()
    line = next((at for at, text in enumerate(lines) if text.startswith(f"  {key}: ")), None)
    assert line is not None, f"{key} is not named in:\n{report}"
    assert reason in lines[line]
    assert "; accepted: " in lines[line]
    assert "pulumi config" in lines[line + 1]
    assert fix in lines[line + 1]


@pytest.mark.parametrize(
    "name",
    [
        "shop.invalid",
        "shop.example",
        "shop.localhost",
        "shop",
        "203.0.113.10",
        "*.",
        f"{'a' * 64}.test",
        ".".join(["a" * 60] * 5),
    ],
)
def test_a_name_that_no_public_ca_signs_is_refused(name: str) -> None:
    assert "hosts[0].host: " in refusal(**host(host=name))


def test_one_mistake_is_one_problem() -> None:
    assert "has a problem:" in refusal(**host(port=0))


class TestSecrets:
    def test_an_encrypted_value_is_never_shown(self) -> None:
        report = refusal(("acme", "emial", "hosts"), acme=acme(email="hidden"), hosts=[HOST, HOST], emial="hidden")

        assert "hidden" not in report
        assert '"shop.sandbox.test"' not in report
        assert "[secret]" in report, "but it is visible that there is a value"

    def test_a_reason_that_would_quote_an_encrypted_value_is_left_out(self) -> None:
        report = refusal(("hosts",), **host(host="hunter_2.sandbox.test"))

        assert "hunter" not in report, "the label with the underscore is a part of the secret"
        assert 'hosts[0].host: "[secret]" is not accepted' in report

    @pytest.mark.parametrize(
        "account",
        [
            {"keyId": "kid", "keySecret": "hunter2 is short"},
            {"keyId": "kid", "keySecrets": "hunter2 is misspelt"},
            {"keyId": "kid", "x": "hunter2 has another name"},
            ["kid", "hunter2"],
            "hunter2",
        ],
    )
    def test_an_hmac_key_is_not_shown_wherever_it_was_put(self, account: Any) -> None:
        assert "hunter2" not in refusal(acme=acme(externalAccount={"prod": account}))

    @pytest.mark.parametrize(
        "changes",
        [
            {"tls": {"clientCa": "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"}},
            {"tls": {"clientCa": "hunter2 is no name"}},
            {"tls": {"clientCa": ["hunter2"]}},
            {"tls": {"x": "hunter2"}},
            {"acme": acme(caBundle="hunter2")},
            {"unknown": "hunter2"},
            {"gateways": [{"name": "a", "tls": {"clientCa": "hunter2 is no name"}}]},
        ],
        ids=str,
    )
    def test_a_private_key_is_not_shown_where_there_should_be_another_value(self, changes: Any) -> None:
        assert "hunter2" not in refusal(**changes)

    def test_a_secret_of_the_stack_is_not_in_the_problem_of_another_gateway(self) -> None:
        other = {"name": "internal", "ingress": {"namespace": "a", "service": "b"}, **host(host="b.sandbox.test")}
        report = refusal(
            ("ingress",), acme=acme(issuerKind="Issuer"), ingress={"namespace": "hunter2"}, gateways=[other]
        )
        assert "has no issuer" in report
        assert "hunter2" not in report

    def test_a_secret_is_not_in_the_problem_of_a_lookup(self) -> None:
        config = good_config(**{"gcp:project": "hunter2-project"}, dns={"zone": "sandbox", "workloadIdentity": True})
        with pytest.raises(Exception, match=r"project \[secret\] cannot be read") as refused:
            harness.run(program, {**config, "challenge": "dns01"}, secret=("gcp:project",))
        assert "hunter2" not in str(refused.value)

    def test_a_secret_that_only_begins_like_json_is_a_text(self, up: Any) -> None:
        config = good_config(certManager={"values": {"note": "[" * 100_000}}, dns={"zone": "sandbox", "caa": True})
        (release,) = up(config, secret=(f"{PROJECT}:certManager",)).of("kubernetes:helm.sh/v3:Release")
        assert release.inputs["values"]["value"]["note"] == "[" * 100_000
        assert "[[" not in release.shown, "it stays a secret"


class TestKubeconfig:
    @pytest.mark.parametrize(
        "user", [{"client-key": "/pki/admin.key"}, {"exec": {"command": "gke-gcloud-auth-plugin"}}]
    )
    def test_content_without_credentials_may_be_plain(self, user: dict[str, Any]) -> None:
        assert settings(kubeconfig=kubeconfig(user)).kubeconfig

    @pytest.mark.parametrize(
        ("user", "place"),
        [({"exec": {"command": "aws", "args": ["--token", "hunter2"]}}, "exec.args"), ({"token": "hunter2"}, "token")],
    )
    def test_content_with_credentials_is_secret(self, user: dict[str, Any], place: str) -> None:
        report = refusal(kubeconfig=kubeconfig(user))
        assert f'kubeconfig: "[secret]" holds credentials in plain text, users[0].user.{place}' in report
        assert "hunter2" not in report
        assert load(good_config(kubeconfig=kubeconfig(user)), ("kubeconfig",)).kubeconfig

    def test_a_list_is_refused_and_not_shown(self) -> None:
        with pytest.raises(ProblemsError) as refused:
            read_settings({f"{PROJECT}:kubeconfig": ["hunter2"], "gcp:project": "platform"}, "dev")
        assert "kubeconfig: " in str(refused.value)
        assert "hunter2" not in str(refused.value)

    def test_it_may_be_an_object(self) -> None:
        config = decoded(kubeconfig={"users": []})
        assert read_settings(config, "dev").kubeconfig == '{"users": []}', "as the engine hands it over"


def kubeconfig(user: dict[str, Any]) -> str:
    return json.dumps({"users": [{"name": "admin", "user": user}]})


def decoded(**changes: Any) -> dict[str, Any]:
    """A config whose objects are decoded already, as `pulumi config --json` prints them."""
    return {key if ":" in key else f"{PROJECT}:{key}": value for key, value in good_config(**changes).items()}


def test_objects_may_be_decoded_already() -> None:
    assert read_settings(decoded(), "dev") == settings()


def test_a_null_is_a_key_that_is_not_set() -> None:
    assert settings(**host(timeout=None, routes=None)) == settings()


def test_values_that_are_nested_too_deep_are_named() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ProblemsError, match=r"certManager.values: .* is nested deeper than 32 levels"):
        read_settings(decoded(certManager={"values": {"a": deep}}), "dev")


def test_a_key_is_written_as_pulumi_reads_it() -> None:
    assert dotted(["hosts", 0, "a.b"]) == 'hosts[0]["a.b"]'
    assert dotted(["hosts", 0, 'a"]b']) == 'hosts[0]["a\\"]b"]'
    assert dotted(["a.b"]) == "a.b", "alone it is no path"
    assert dotted([""]) == '[""]', "an empty key is seen"


def test_the_fix_of_a_selector_is_accepted() -> None:
    [line] = [line for line in refusal(ingress={"selector": {}}).splitlines() if "config set" in line]
    assert settings(ingress={"selector": json.loads(shlex.split(line)[-1])}).ingress.selector
