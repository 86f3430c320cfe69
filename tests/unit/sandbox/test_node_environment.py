"""A container's environment: expansion, sources and the downward API."""

import base64
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.node import environment
from sandbox.node.environment import MissingError, container_env, expand, field_value, resource_value

POD: dict[str, Any] = {
    "metadata": {
        "name": "web-0",
        "namespace": "shop",
        "uid": "u-1",
        "labels": {"app": "web", "tier": 'a"b'},
        "annotations": {"note": "x"},
    },
    "spec": {"containers": [{"name": "web"}], "serviceAccountName": "web"},
}
OBJECTS: dict[tuple[str, str], Any] = {
    ("ConfigMap", "settings"): {"data": {"LEVEL": "debug"}},
    ("Secret", "login"): {"data": {"password": base64.b64encode(b"s3cret").decode()}},
}


@pytest.fixture(autouse=True)
def _small_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "CAPACITY", {"cpu": Decimal(2), "memory": Decimal(8 * 1024**3)})


def env_of(container: dict[str, Any]) -> dict[str, str]:
    return container_env(
        {"name": "web"} | container,
        POD,
        base={"KUBERNETES_SERVICE_HOST": "10.96.0.1"},
        lookup=lambda kind, name: OBJECTS.get((kind, name)),
        pod_ip="10.244.1.7",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)-$(B)", "1-2"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
    ],
)
def test_expansion_follows_the_kubernetes_rules(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected, "unknown names stay, $$ escapes, the rest is text"


@given(st.text())
def test_text_without_a_dollar_is_never_changed(text: str) -> None:
    plain = text.replace("$", "")
    assert expand(plain, {"A": "1"}) == plain, "only references are replaced"


def test_later_variables_see_earlier_ones_and_win_over_sources() -> None:
    env = env_of(
        {
            "envFrom": [{"prefix": "CFG_", "configMapRef": {"name": "settings"}}],
            "env": [
                {"name": "CFG_LEVEL", "value": "info"},
                {"name": "URL", "value": "https://$(KUBERNETES_SERVICE_HOST)/$(CFG_LEVEL)"},
            ],
        }
    )
    assert env["CFG_LEVEL"] == "info", "env wins over envFrom"
    assert env["URL"] == "https://10.96.0.1/info", "service variables and earlier entries are expanded"


def test_values_come_from_secrets_and_the_downward_api() -> None:
    env = env_of(
        {
            "env": [
                {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
                {"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            ]
        }
    )
    assert (env["PASSWORD"], env["IP"], env["APP"], env["CPUS"]) == ("s3cret", "10.244.1.7", "web", "2"), (
        "every source has its decoded value"
    )
    assert field_value("metadata.labels", POD, "") == 'app="web"\ntier="a\\"b"', "one quoted pair a line, sorted"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
        ({"secretKeyRef": {"name": "login", "key": "k"}}, 'secret "login" has no key "k"'),
        ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
    ],
)
def test_a_missing_source_is_named(source: dict[str, Any], message: str) -> None:
    with pytest.raises(MissingError, match=message):
        env_of({"env": [{"name": "X", "valueFrom": source}]})
    ((kind, reference),) = source.items()
    optional = {kind: reference | {"optional": True}}
    assert "X" not in env_of({"env": [{"name": "X", "valueFrom": optional}]}), "an optional one leaves the variable out"


@pytest.mark.parametrize(
    ("resources", "reference", "expected"),
    [
        ({"limits": {"cpu": "1500m"}}, {"resource": "limits.cpu"}, "2"),
        ({"limits": {"cpu": "1500m"}}, {"resource": "limits.cpu", "divisor": "1m"}, "1500"),
        ({"limits": {"memory": "1Gi"}}, {"resource": "limits.memory", "divisor": "1Mi"}, "1024"),
        ({}, {"resource": "limits.memory", "divisor": "1Gi"}, "8"),
        ({}, {"resource": "requests.cpu"}, "0"),
        ({"limits": {"cpu": "2"}}, {"resource": "limits.cpu", "divisor": "0"}, "2"),
    ],
)
def test_resources_are_divided_and_rounded_up(
    resources: dict[str, Any], reference: dict[str, Any], expected: str
) -> None:
    containers = [{"name": "web", "resources": resources}]
    assert resource_value(reference, containers, "web") == expected, "ceil(value / divisor)"
