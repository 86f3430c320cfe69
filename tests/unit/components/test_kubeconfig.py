"""Kubeconfigs: what in one is a credential, and that nothing of one is ever quoted."""

import json
import traceback
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.config import ConfigException

from components.kube.client import api_client
from components.kube.kubeconfig import embedded_credentials, gke_kubeconfig, is_content, parse

KEY = "hunter2"


def kubeconfig(user: Any, **cluster: Any) -> dict[str, Any]:
    config = gke_kubeconfig("test", "192.0.2.1", "Q0E=")
    config["users"][0]["user"] = user
    config["clusters"][0]["cluster"] |= cluster
    return config


@pytest.mark.parametrize(
    ("user", "where"),
    [
        ({"token": KEY}, "token"),
        ({"username": "admin", "password": KEY}, "password"),
        ({"client-certificate-data": "Q0E=", "client-key-data": KEY}, "client-key-data"),
        ({"auth-provider": {"name": "oidc", "config": {"refresh-token": KEY}}}, "auth-provider.config"),
        ({"exec": {"command": "aws", "env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": KEY}]}}, "exec.env[0].value"),
    ],
)
@pytest.mark.parametrize("write", [yaml.safe_dump, json.dumps])
def test_a_credential_is_found_where_it_is(write: Any, user: Any, where: str) -> None:
    assert embedded_credentials(write(kubeconfig(user))) == [f"users[0].user.{where}"]


@pytest.mark.parametrize(
    "user",
    [
        None,
        {},
        {"client-certificate": "/pki/admin.crt", "client-key": "/pki/admin.key", "tokenFile": "/run/token"},
        {"auth-provider": {"name": "gcp"}},
        {"exec": {"command": "aws", "env": [{"name": "AWS_PROFILE", "value": "prod"}]}},
        gke_kubeconfig("test", "192.0.2.1", "Q0E=")["users"][0]["user"],
    ],
)
def test_paths_and_plugins_are_no_credentials(user: Any) -> None:
    assert embedded_credentials(yaml.safe_dump(kubeconfig(user))) == []


def test_a_proxy_may_hold_a_password() -> None:
    config = kubeconfig({}, **{"proxy-url": f"http://user:{KEY}@proxy.test:3128"})

    assert embedded_credentials(json.dumps(config)) == ["clusters[0].cluster.proxy-url"]


BROKEN = {
    "an unclosed string": f'users:\n- user:\n    token: "{KEY}',
    "a tab": f"users:\n- user:\n\t  token: {KEY}\n",
    "two colons": f"users:\n- user: token: {KEY}\n",
    "an unknown tag": f"users:\n- !{KEY} token\n",
    "an unknown anchor": f"users:\n- *{KEY}\n",
    "an unknown escape": f'users:\n- "\\{KEY}"\n',
    "broken JSON": f'{{"users": [{{"user": {{"token": "{KEY}"}}]',
    "a text": f"{KEY}\n{KEY}\n",
    "a list": f"- {KEY}\n- {KEY}\n",
    "users that are no list": f"users: {KEY}\nclusters: []\n",
    "a user that is a text": f"users:\n- {KEY}\n",
    "a user without a name": f"users:\n- user:\n    token: {KEY}\n",
    "a user's part that is a text": f"users:\n- name: test\n  user: {KEY}\n",
    "a cluster that is no mapping": f"clusters:\n- name: test\n  cluster: [{KEY}]\n",
    "no current context": f"users:\n- name: test\n  user: {{token: {KEY}}}\n",
    "data that is no base64": json.dumps(kubeconfig({"client-key-data": f"{KEY}!", "client-certificate-data": "@"})),
    "a token that is a list": json.dumps(kubeconfig({"token": [KEY]})),
    "a plugin that is a text": json.dumps(kubeconfig({"exec": KEY})),
    "a context that is a text": f"current-context: a\ncontexts:\n- name: a\n  context: {KEY}\n",
    "a certificate that is none": json.dumps(kubeconfig({"client-certificate-data": KEY, "client-key-data": KEY})),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("as_file", [False, True], ids=["content", "file"])
def test_one_that_cannot_be_read_is_not_quoted(content: str, as_file: bool, tmp_path: Path) -> None:
    kubeconfig = content
    if as_file:
        kubeconfig = str(tmp_path / "kubeconfig")
        Path(kubeconfig).write_text(content)
    report = ""
    try:
        api_client(kubeconfig)
    except ConfigException:
        report = traceback.format_exc()
    assert KEY not in report, "in a traceback neither"


@given(st.text(st.sampled_from("{}[]:-\"' \n\t&*!|>%@,?abc"), max_size=40))
def test_parsing_ends_in_a_mapping_or_a_reason_of_its_own(content: str) -> None:
    outcome: object
    try:
        outcome = parse(content)
    except ValueError as error:
        outcome = str(error)
    if isinstance(outcome, str):
        assert outcome.startswith(("is not ", "has ")), "no other error, whatever is given"


@pytest.mark.parametrize(
    ("text", "content"),
    [("~/.kube/config", False), ("/run/kubeconfig\n", False), ("{}", True), ("apiVersion: v1\nkind: Config", True)],
)
def test_content_is_told_from_a_path(text: str, content: bool) -> None:
    assert is_content(text) is content


TAGGED = [f"a: !!{tag} {KEY}\n" for tag in ("int", "float", "timestamp", "bool")]


@pytest.mark.parametrize("content", [*TAGGED, "a: !!int ''\n", "[" * 3000, "{a: 2020-99-99}\n"])
def test_what_the_parser_stumbles_over_is_not_yaml_and_not_quoted(content: str) -> None:
    with pytest.raises(ValueError, match="is not YAML") as refused:
        parse(content)
    assert KEY not in str(refused.value)
