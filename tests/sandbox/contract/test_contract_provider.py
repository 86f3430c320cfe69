"""The provider's own configuration: which change of it is another cluster."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.testing import live
from tests.sandbox.contract.project import Stack, config_map

pytestmark = pytest.mark.sandbox

AWAY = "https://127.0.0.1:1"


def kubeconfig(**cluster: Any) -> str:
    """The ambient kubeconfig as contents, with its cluster changed."""
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    ambient = config["clusters"][0]["cluster"]
    if "certificate-authority-data" in cluster:
        del ambient["certificate-authority"]  # the real provider accepts only one of the two
    ambient |= cluster
    return json.dumps(config)


def rotated() -> str:
    """The ambient kubeconfig after the rotation of the cluster's CA: the new bundle still holds the old one."""
    ambient = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())["clusters"][0]["cluster"]
    old = Path(ambient["certificate-authority"]).read_bytes()
    return kubeconfig(**{"certificate-authority-data": base64.b64encode(old * 2).decode()})


def through(stack: Stack, where: str, config: str, **more: str) -> None:
    """Have the program make a ConfigMap through a provider that is configured so."""
    cm = config_map({"namespace": where, "name": "cm"}, {"a": "1"}, provider="k8s")
    stack.spec(("k8s", "pulumi:providers:kubernetes", {"kubeconfig": config} | more, {}), cm)


def test_another_server_or_ca_replaces_the_provider_and_all_that_it_made(stack: Stack, namespace: str) -> None:
    through(stack, namespace, kubeconfig())
    stack.up()
    through(stack, namespace, kubeconfig(), namespace="elsewhere")
    assert stack.ops() == {"k8s": ["update"]}, "what does not move the cluster replaces nothing"
    through(stack, namespace, rotated())
    assert stack.ops() == {"k8s": ["replace"], "cm": ["replace"]}, "a rotated CA may be another cluster"
    through(stack, namespace, kubeconfig(server=AWAY))
    assert stack.ops()["k8s"] == ["replace"], "so may another server"


def test_a_cluster_that_is_identified_may_change_its_server_and_ca(stack: Stack, namespace: str) -> None:
    through(stack, namespace, kubeconfig())
    stack.up()
    through(stack, namespace, rotated(), clusterIdentifier="one")
    assert stack.ops() == {"k8s": ["replace"], "cm": ["replace"]}, "an identifier comes too late with a rotated CA"
    through(stack, namespace, kubeconfig(), clusterIdentifier="one")
    assert stack.ops() == {"k8s": ["update"]}, "alone it replaces nothing"
    stack.up()
    uid = live("configmap", "cm", namespace)["metadata"]["uid"]
    through(stack, namespace, rotated(), clusterIdentifier="one")
    assert stack.ops() == {"k8s": ["update"]}, "it is the same cluster"
    stack.up()
    assert live("configmap", "cm", namespace)["metadata"]["uid"] == uid, "nothing was replaced"
    through(stack, namespace, kubeconfig(server=AWAY), clusterIdentifier="one")
    assert stack.ops() == {"k8s": ["update"]}, "wherever it is"
    through(stack, namespace, rotated(), clusterIdentifier="two")
    assert stack.ops() == {"k8s": ["replace"], "cm": ["replace"]}, "another identifier is another cluster"


def test_a_cluster_that_cannot_be_reached_fails_only_where_it_is_needed(stack: Stack, namespace: str) -> None:
    through(stack, namespace, kubeconfig(server=AWAY))
    assert stack.ops()["cm"] == ["create"], "a preview shows the inputs"
    assert "configured Kubernetes cluster is unreachable" in stack.up(fails=True)
