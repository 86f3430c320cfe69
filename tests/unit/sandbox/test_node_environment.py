"""A container's environment: expansion, sources and the downward API."""

import base64
from decimal import Decimal
from typing import Any

import pytest

from sandbox.node import environment
from sandbox.node.environment import MissingError, container_env, expand, field_value

POD: dict[str, Any] = {
    "metadata": {"name": "web-0", "namespace": "shop", "uid": "u-1", "labels": {"app": "web", "tier": 'a"b'}},
    "spec": {},
}
CONTAINER: dict[str, Any] = {"name": "web", "resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}}}
OBJECTS: dict[tuple[str, str], Any] = {
    ("ConfigMap", "settings"): {"data": {"LEVEL": "debug"}},
    ("Secret", "login"): {"data": {"password": base64.b64encode(b"s3cret").decode()}},
}


def env_of(**container: Any) -> dict[str, str]:
    return container_env(
        CONTAINER | container,
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


def test_later_variables_see_earlier_ones() -> None:
    url = {"name": "URL", "value": "https://$(KUBERNETES_SERVICE_HOST)/$(LEVEL)"}
    env = env_of(env=[{"name": "LEVEL", "value": "info"}, url])
    assert env["URL"] == "https://10.96.0.1/info", "service variables and earlier entries are expanded"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"configMapKeyRef": {"name": "settings", "key": "LEVEL"}}, "debug"),
        ({"fieldRef": {"fieldPath": "metadata.labels['app']"}}, "web"),
        ({"resourceFieldRef": {"resource": "limits.cpu"}}, "2"),
        ({"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}}, "2"),
        ({"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}, "1500"),
        ({"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}, "1024"),
        ({"resourceFieldRef": {"resource": "limits.ephemeral-storage", "divisor": "1Gi"}}, "8"),
        ({"resourceFieldRef": {"resource": "requests.cpu"}}, "0"),
    ],
)
def test_a_value_comes_from_its_source(monkeypatch: pytest.MonkeyPatch, source: Any, expected: str) -> None:
    monkeypatch.setattr(environment, "CAPACITY", {"ephemeral-storage": Decimal(8 * 1024**3)})
    env = env_of(env=[{"name": "X", "valueFrom": source}])
    assert env["X"] == expected, "resources are divided and rounded up; without a limit, it is the node's size"


def test_labels_are_one_quoted_pair_a_line() -> None:
    assert field_value("metadata.labels", POD, "") == 'app="web"\ntier="a\\"b"'


@pytest.mark.parametrize(
    ("kind", "reference", "message"),
    [
        ("secretKeyRef", {"name": "login", "key": "k"}, 'secret "login" has no key "k"'),
        ("configMapKeyRef", {"name": "none", "key": "k"}, 'configmap "none" not found'),
    ],
)
def test_a_missing_source_is_named_unless_it_is_optional(kind: str, reference: dict[str, Any], message: str) -> None:
    with pytest.raises(MissingError, match=message):
        env_of(env=[{"name": "X", "valueFrom": {kind: reference}}])
    assert "X" not in env_of(env=[{"name": "X", "valueFrom": {kind: reference | {"optional": True}}}])
