"""Values that a config does not have by accident: each is refused by name, or taken for what it is."""

import json
import shlex
from typing import Any

import pytest

from components import fields
from components.kube import kubeconfig
from components.problem import ProblemsError
from components.specs import cert_manager
from components.specs.names import object_reference
from config.problems import dotted
from tests.unit import harness
from tests.unit.harness import good_config
from tests.unit.test_program import program
from tests.unit.test_settings import acme, load, refusal, settings


def host(**changes: Any) -> dict[str, Any]:
    return {"host": "shop.sandbox.test", "service": "shop", "namespace": "shop", "port": 80, **changes}


@pytest.mark.parametrize(
    ("config", "key", "reason"),
    [
        ({"certManager": '{"values": {"a": ' + "9" * 5000 + "}}"}, "certManager", "is not accepted"),
        ({"hosts": "[" * 3000}, "hosts", "is not accepted"),
        ({"hosts": [host(routes=5)]}, "hosts[0].routes", "is not accepted"),
        ({"certManager": {"values": {"a": 10**40}}}, "certManager.values.a", "is not kept exactly"),
        ({"certManager": '{"values": {"a": NaN}}'}, "certManager.values.a", "is not a finite number"),
        ({"certManager": '{"values": {"a": "\\ud800"}}'}, "certManager.values.a", "has the character U+D800"),
        ({"certManager": {"values": {"a": "\x1b[2J"}}}, "certManager.values.a", "has the character U+001B"),
        ({"certManager": {"values": {"a\x00": 1}}}, "certManager.values", "is the name of a key"),
        ({"certManager": {"keyring": ""}}, "certManager.keyring", "is not accepted"),
        ({"certManager": {"version": "v\u0661.21.2"}}, "certManager.version", "is not a chart version"),
        ({"context": "a\u202eb"}, "context", "has the character U+202E, which is not visible"),
        ({"dns": {"zone": "$(id)"}}, "dns.zone", "is not a name in Google Cloud"),
        ({"ingress": {"selector": {"a b": "c"}}}, "ingress.selector", "has an invalid key"),
        ({"alertLabels": {"a": "b;c"}}, "alertLabels", "has an invalid value"),
        ({"acme": acme(servers={"prod": 'https://x";rm'})}, "acme.servers.prod", "is not an https:// URL"),
        ({"gateways": [{"name": {"a": 1}, "ingress": {}, "hosts": [host()]}]}, "gateways[0].name", "is not accepted"),
    ],
)
def test_a_value_that_nothing_takes_is_named(config: dict[str, Any], key: str, reason: str) -> None:
    report = refusal(**config)

    line = next(each for each in report.splitlines() if each.startswith(f"  {key}"))
    assert reason in line, report
    assert "accepted: " in line


def test_values_that_are_nested_too_deep_are_named() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ProblemsError, match=r"certManager.values: .* is nested deeper than 32 levels"):
        load_decoded(certManager={"values": {"a": deep}})


def load_decoded(**changes: Any) -> Any:
    from config.decoding import decode
    from config.models import Settings

    config = {key if ":" in key else f"{harness.PROJECT}:{key}": each for key, each in good_config(**changes).items()}
    return decode(Settings, config, harness.PROJECT, "dev")


@pytest.mark.parametrize("value", ["'x'; rm -rf ~", '"$(id)"', "", "$(id)", "--stack=prod", "a\nb"])
def test_a_value_of_a_misspelt_key_is_one_word_of_its_fix(value: str) -> None:
    report = refusal(hosts=[host(servise=value)])

    line = next(each for each in report.splitlines() if "config rm --path" in each)
    removed, _, rest = line.strip().partition(" && ")
    assert shlex.split(removed) == ["pulumi", "config", "rm", "--path", "hosts[0].servise"]
    if value.isprintable():
        assert [each for each in shlex.split(rest) if each != "--"][4:] == ["hosts[0].service", value]
    assert r"$'a\nb'" in rest or value.isprintable()


def test_a_key_is_written_as_pulumi_reads_it() -> None:
    assert dotted(["hosts", 0, "a.b"]) == 'hosts[0]["a.b"]'
    assert dotted(["hosts", 0, 'a"]b']) == 'hosts[0]["a\\"]b"]'
    assert dotted(["a.b"]) == "a.b", "alone it is no path"


@pytest.mark.parametrize(
    "account",
    [
        {"keyId": "kid", "keySecret": "hunter2 is short"},
        {"keyId": "kid", "keySecrets": "hunter2 is misspelt"},
        ["kid", "hunter2"],
        "hunter2",
    ],
)
def test_an_hmac_key_is_not_shown_wherever_it_was_put(account: Any) -> None:
    assert "hunter2" not in refusal(acme=acme(externalAccount={"prod": account}))


@pytest.mark.parametrize(
    "content",
    ["a: !!int hunter2\n", "a: !!float hunter2\n", "a: !!timestamp hunter2\n", "a: !!int ''\n", "[" * 3000 + "\n",
     "{a: 2020-99-99}\n", "a: !!bool hunter2\n"],
)  # fmt: skip
def test_a_kubeconfig_with_a_tag_that_lies_is_not_yaml_and_not_quoted(content: str) -> None:
    with pytest.raises(ValueError, match="is not YAML") as refused:
        kubeconfig.parse(content)
    assert "hunter2" not in str(refused.value)


def test_digits_are_those_of_ascii() -> None:
    with pytest.raises(ValueError, match="is not a chart version"):
        cert_manager.check_version("v1.2\u0661.2")
    with pytest.raises(ValueError, match="is not projects/NUMBER"):
        fields.workload_pool("projects/\u0661/locations/global/workloadIdentityPools/p.svc.id.goog")


@pytest.mark.parametrize("given", ['a"} or vector(1) or x{a="', "a/b/c", "A", "", "/a", "a..b", "a\n"])
def test_no_certificates_name_leaves_its_promql(given: str) -> None:
    with pytest.raises(ValueError, match="is not NAME or NAMESPACE/NAME"):
        object_reference(given)


def test_a_certificates_name_may_have_its_namespace() -> None:
    assert [object_reference(each) for each in ("a", "istio-system/shop.acme.dev")] == [
        "a",
        "istio-system/shop.acme.dev",
    ]


def test_a_secret_is_not_in_the_problem_of_what_is_looked_up_by_it() -> None:
    config = good_config(**{"gcp:project": "hunter2-project"}, dns={"zone": "sandbox", "workloadIdentity": True})
    with pytest.raises(Exception, match=r"project \[secret\] cannot be read") as refused:
        harness.run(program, {**config, "challenge": "dns01"}, secret=("gcp:project",))
    assert "hunter2" not in str(refused.value)


def test_a_secret_of_the_stack_is_not_in_the_problem_of_another_gateway() -> None:
    other = {"name": "internal", "ingress": {"namespace": "a", "service": "b"}, "hosts": [host(host="b.sandbox.test")]}
    report = refusal(
        ("ingress",), acme=acme(issuerKind="Issuer"), ingress={"namespace": "hunter2"}, gateways=[other]
    )  # fmt: skip
    assert "has no issuer" in report
    assert "hunter2" not in report


def test_a_selector_as_its_fix_sets_it_is_taken() -> None:
    [line] = [each for each in refusal(ingress={"selector": {}}).splitlines() if "config set" in each]
    assert settings(ingress={"selector": json.loads(shlex.split(line)[-1])}).ingress.selector


def test_names_that_are_in_use_are_taken() -> None:
    config = good_config(
        **{"gcp:project": "acme.com:platform"}, ingress={"selector": {"app.kubernetes.io/name": "a_b.c"}}
    )
    assert load(config).gcp_project == "acme.com:platform"
