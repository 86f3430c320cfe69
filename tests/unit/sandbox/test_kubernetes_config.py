"""The kubernetes stand-in's own configuration: which change is another cluster, as the real provider sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.providers.kubernetes.config import diff
from sandbox.providers.rpc import ProviderError
from sandbox.providers.values import UNKNOWN


def kubeconfig(**cluster: Any) -> str:
    """A kubeconfig with the contexts `one` and `two`, of a cluster each; `one` is active and can be changed."""
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

# Old configuration, new configuration, the keys that changed, those that replace.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str], list[str]]] = {
    "nothing": ({"kubeconfig": HERE}, {"kubeconfig": HERE}, [], []),
    "an ambient kubeconfig": ({}, {}, [], []),
    "null for what was not given": ({}, {"context": None}, [], []),
    "a kubeconfig in place of the ambient one": ({}, {"kubeconfig": HERE}, ["kubeconfig"], []),
    "another server": ({"kubeconfig": HERE}, {"kubeconfig": MOVED}, ["kubeconfig"], ["kubeconfig"]),
    "a rotated CA": ({"kubeconfig": HERE}, {"kubeconfig": ROTATED}, ["kubeconfig"], ["kubeconfig"]),
    "a default that is written out": (
        {"kubeconfig": HERE},
        {"kubeconfig": kubeconfig(**{"insecure-skip-tls-verify": False})},
        ["kubeconfig"],
        [],
    ),
    "other credentials": (
        {"kubeconfig": HERE},
        {"kubeconfig": HERE.replace('"secret"', '"other"')},
        ["kubeconfig"],
        [],
    ),
    "another cluster than the active one": (
        {"kubeconfig": HERE},
        {"kubeconfig": HERE.replace("https://two.test", "https://three.test")},
        ["kubeconfig"],
        [],
    ),
    "the context of another cluster": (
        {"kubeconfig": HERE, "context": "one"},
        {"kubeconfig": HERE, "context": "two"},
        ["context"],
        ["context"],
    ),
    "a context that does not exist": (
        {"kubeconfig": HERE, "context": "one"},
        {"kubeconfig": HERE, "context": "nosuch"},
        ["context"],
        [],
    ),
    "another cluster for the context": (
        {"kubeconfig": HERE},
        {"kubeconfig": HERE, "cluster": "two"},
        ["cluster"],
        ["cluster"],
    ),
    "a cluster that does not exist": (
        {"kubeconfig": HERE, "cluster": "one"},
        {"kubeconfig": HERE, "cluster": "nosuch"},
        ["cluster"],
        [],
    ),
    "a kubeconfig that is not known yet": (
        {"kubeconfig": HERE, "namespace": "a"},
        {"kubeconfig": UNKNOWN, "namespace": "b"},
        ["kubeconfig"],
        ["kubeconfig"],
    ),
    "an object in place of text": (
        {"kubeconfig": HERE},
        {"kubeconfig": json.loads(MOVED)},
        ["kubeconfig"],
        ["kubeconfig"],
    ),
    "something else": ({"namespace": "a"}, {"namespace": "b"}, ["namespace"], []),
    "an identifier that is added": (
        {"kubeconfig": HERE},
        {"kubeconfig": HERE, "clusterIdentifier": "a"},
        ["clusterIdentifier"],
        [],
    ),
    "an identifier that is added with another server": (
        {"kubeconfig": HERE},
        {"kubeconfig": MOVED, "clusterIdentifier": "a"},
        ["clusterIdentifier", "kubeconfig"],
        ["kubeconfig"],
    ),
    "an identifier that is removed": (
        {"kubeconfig": HERE, "clusterIdentifier": "a"},
        {"kubeconfig": HERE},
        ["clusterIdentifier"],
        [],
    ),
    "another identifier": (
        {"kubeconfig": HERE, "clusterIdentifier": "a"},
        {"kubeconfig": HERE, "clusterIdentifier": "b"},
        ["clusterIdentifier"],
        ["clusterIdentifier"],
    ),
    "a rotated CA of the same identifier": (
        {"kubeconfig": HERE, "clusterIdentifier": "a"},
        {"kubeconfig": ROTATED, "clusterIdentifier": "a"},
        ["kubeconfig"],
        [],
    ),
    "a rotated CA where the identifier is null": (
        {"kubeconfig": HERE, "clusterIdentifier": None},
        {"kubeconfig": ROTATED, "clusterIdentifier": None},
        ["kubeconfig"],
        ["kubeconfig"],
    ),
    "an unknown kubeconfig of the same identifier": (
        {"kubeconfig": HERE, "clusterIdentifier": "a"},
        {"kubeconfig": UNKNOWN, "clusterIdentifier": "a"},
        ["kubeconfig"],
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change_of_the_configuration_replaces_the_provider_only_for_another_cluster(case: str) -> None:
    old, new, changed, replaces = CASES[case]
    found = diff(old, new)
    assert (found.changed, found.replaces) == (changed, replaces), f"{case} is judged as by the real provider"


def test_a_kubeconfig_in_a_file_is_compared_by_what_is_in_it(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("here", "same", "moved")}
    for name, text in (("here", HERE), ("same", HERE), ("moved", MOVED)):
        files[name].write_text(text)
    same = diff({"kubeconfig": str(files["here"])}, {"kubeconfig": str(files["same"])})
    assert (same.changed, same.replaces) == (["kubeconfig"], []), "another path to the same cluster"
    moved = diff({"kubeconfig": str(files["here"])}, {"kubeconfig": str(files["moved"])})
    assert moved.replaces == ["kubeconfig"], "another cluster"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("/nowhere/kubeconfig", "there is no file /nowhere/kubeconfig"),
        ("s3cret", "not the contents of one$"),
        ("clusters: []\ntoken: 's3cret", "neither YAML nor JSON in line 2"),
        (True, "unexpected kubeconfig format"),
    ],
)
def test_what_is_no_kubeconfig_is_an_error_that_does_not_quote_it(wrong: Any, message: str) -> None:
    with pytest.raises(ProviderError, match=message) as error:
        diff({"kubeconfig": HERE}, {"kubeconfig": wrong})
    assert "s3cret" not in str(error.value), "it may hold credentials"
