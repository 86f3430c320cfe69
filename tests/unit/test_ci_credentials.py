"""Which kubeconfig holds credentials, and never what they are."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci.credentials import SHARED, embedded


def kubeconfig(**user: Any) -> str:
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "users": [{"name": "me", "user": user}]})


@pytest.mark.parametrize(
    ("user", "kinds"),
    [
        ({"token": "s3cret"}, ["token"]),
        ({"client-certificate-data": "Q0E=", "client-key-data": "s3cret"}, ["client-key-data"]),
        ({"username": "me", "password": "s3cret"}, ["password"]),
        (
            {"auth-provider": {"name": "gcp", "config": {"access-token": "s3cret", "expiry": "2026"}}},
            ["auth-provider access-token"],
        ),
        (
            {"exec": {"command": "aws", "env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "s3cret"}]}},
            ["exec AWS_SECRET_ACCESS_KEY"],
        ),
    ],
    ids=["token", "key", "password", "auth provider", "environment"],
)
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_credentials_are_found_by_their_kind(user: dict[str, Any], kinds: list[str], form: str) -> None:
    text = kubeconfig(**user)
    text = text if form == "yaml" else json.dumps(yaml.safe_load(text))
    assert list(embedded(text)) == kinds
    assert not [kind for kind in kinds if "s3cret" in kind]


@pytest.mark.parametrize(
    "text",
    [
        kubeconfig(
            exec={"command": "gke-gcloud-auth-plugin", "env": [{"name": "CLOUDSDK_CORE_PROJECT", "value": "p"}]}
        ),
        kubeconfig(**{"client-certificate": "me.crt", "client-key": "me.key", "tokenFile": "/run/token"}),
        kubeconfig(token=""),
        kubeconfig(),
        "/home/me/.kube/config",
        "",
        "users:\n- me\n- user: [token]\n",
        "users: {token: x}",
        "{not: [yaml",
    ],
    ids=["exec plugin", "files", "empty token", "nobody", "path", "nothing", "misshapen", "no list", "no YAML"],
)
def test_what_holds_none_is_accepted(text: str) -> None:
    assert list(embedded(text)) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["users", "user", "exec", "env", "auth-provider", "config", "name", "token"]), inner
            )
        ),
        max_leaves=20,
    )
)
def test_a_kubeconfig_of_any_shape_is_looked_at(value: Any) -> None:
    list(embedded(json.dumps(value)))


@pytest.mark.parametrize(
    "backend", ["gs://state", "s3://state", "azblob://state", "https://api.pulumi.com", "postgres://state"]
)
def test_a_state_that_others_read_is_known_by_its_address(backend: str) -> None:
    assert backend.startswith(SHARED)
    assert not "file:///home/me".startswith(SHARED)
