"""The kubernetes stand-in's own configuration: which change means another cluster, as for the real provider."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.providers.kubernetes.cluster import diff
from sandbox.providers.rpc import ProviderError
from sandbox.providers.values import UNKNOWN

K, ID = "kubeconfig", "clusterIdentifier"


def kubeconfig(**cluster: Any) -> str:
    """A kubeconfig with the contexts `one` and `two`, each of its own cluster; `one` is active and can be changed."""
    one = {"server": "https://one.test", "certificate-authority-data": "T25l"} | cluster
    return json.dumps(
        {
            "current-context": "one",
            "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in ("one", "two")],
            "clusters": [{"name": "one", "cluster": one}, {"name": "two", "cluster": {"server": "https://two.test"}}],
            "users": [{"name": "me", "user": {"token": "secret"}}],
        }
    )


HERE = kubeconfig()
ROTATED = kubeconfig(**{"certificate-authority-data": "VHdv"})
MOVED = kubeconfig(server="https://elsewhere.test")
SPELLED = kubeconfig(**{"insecure-skip-tls-verify": False})
OTHER_USER, OTHER_CLUSTER = HERE.replace('"secret"', '"other"'), HERE.replace("https://two.test", "https://three.test")

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str], list[str]]] = {
    "an ambient kubeconfig": ({}, {}, [], []),
    "null for an absent key": ({}, {"context": None}, [], []),
    "a default that is written out": ({K: HERE}, {K: SPELLED}, [K], []),
    "other credentials": ({K: HERE}, {K: OTHER_USER}, [K], []),
    "a cluster that is not the active one": ({K: HERE}, {K: OTHER_CLUSTER}, [K], []),
    "the other context": ({K: HERE, "context": "one"}, {K: HERE, "context": "two"}, ["context"], ["context"]),
    "a context that does not exist": ({K: HERE, "context": "one"}, {K: HERE, "context": "no"}, ["context"], []),
    "an unknown kubeconfig": ({K: HERE, "namespace": "a"}, {K: UNKNOWN, "namespace": "b"}, [K], [K]),
    "an object in place of text": ({K: HERE}, {K: json.loads(MOVED)}, [K], [K]),
    "a rotated CA, and null as identifier": ({K: HERE, ID: None}, {K: ROTATED, ID: None}, [K], [K]),
    "an unknown kubeconfig of the same identifier": ({K: HERE, ID: "a"}, {K: UNKNOWN, ID: "a"}, [K], []),
}
"""The configuration before and after, the keys that changed, and those that replace the provider."""


@pytest.mark.parametrize(("old", "new", "changed", "replaces"), CASES.values(), ids=CASES)
def test_a_change_replaces_the_provider_only_for_another_cluster(
    old: dict[str, Any], new: dict[str, Any], changed: list[str], replaces: list[str]
) -> None:
    assert diff(old, new) == (changed, replaces), "as by the real provider"


def test_a_kubeconfig_in_a_file_is_compared_by_its_content(tmp_path: Path) -> None:
    paths = {}
    for name, text in (("here", HERE), ("same", HERE), ("moved", MOVED)):
        paths[name] = {K: str(tmp_path / name)}
        (tmp_path / name).write_text(text)
    assert diff(paths["here"], paths["same"]) == ([K], []), "another path to the same cluster"
    assert diff(paths["here"], paths["moved"]) == ([K], [K]), "another cluster"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("/nowhere/kubeconfig", "there is no file /nowhere/kubeconfig"),
        ("s3cret", "not the contents of one$"),
        ("clusters: []\ntoken: 's3cret", "neither YAML nor JSON in line 2"),
        (True, "unexpected kubeconfig format"),
    ],
)
def test_an_invalid_kubeconfig_is_an_error_that_does_not_quote_it(wrong: Any, message: str) -> None:
    with pytest.raises(ProviderError, match=message) as error:
        diff({K: HERE}, {K: wrong})
    assert "s3cret" not in str(error.value), "it may hold credentials"
