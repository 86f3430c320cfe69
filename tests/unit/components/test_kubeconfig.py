"""Kubeconfigs: what in one is a credential, and that nothing of one is ever quoted."""

import base64
import json
import traceback
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.kube.client import Client, ClusterError
from components.kube.kubeconfig import (
    credentials_in,
    embedded_credentials,
    gke_kubeconfig,
    is_content,
    is_kubeconfig,
    parse,
)

KEY = "hunter2"
PEM = "-----BEGIN CERTIFICATE-----\nQ0E=\n-----END CERTIFICATE-----\n"
CERTIFICATE = base64.b64encode(PEM.encode()).decode()
GKE_HINT = (
    "Install gke-gcloud-auth-plugin for use with kubectl by following"
    " https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-access-for-kubectl#install_plugin"
)
EXEC_CREDENTIAL = json.dumps({"kind": "ExecCredential", "status": {"token": KEY}})


def kubeconfig(user: Any, **cluster: Any) -> dict[str, Any]:
    config = gke_kubeconfig("test", "192.0.2.1", CERTIFICATE)
    config["users"][0]["user"] = user
    config["clusters"][0]["cluster"] |= cluster
    return config


def plugin(*arguments: str, **more: Any) -> dict[str, Any]:
    """A user with an exec plugin."""
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "aws", "args": arguments, **more}}


@pytest.mark.parametrize(
    ("user", "where"),
    [
        ({"token": KEY}, "token"),
        ({"username": "admin", "password": KEY}, "password"),
        ({"client-certificate-data": CERTIFICATE, "client-key-data": KEY}, "client-key-data"),
        ({"client-certificate-data": base64.b64encode(PEM.encode() + b"token: x").decode()}, "client-certificate-data"),
        ({"client-key": "-----BEGIN PRIVATE KEY-----\nAA"}, "client-key"),
        ({"auth-provider": {"name": "oidc", "config": {"refresh-token": KEY}}}, "auth-provider.config"),
        ({"extensions": [{"name": "x", "extension": {"token": KEY}}]}, "extensions"),
        ({"as-user-extra": {"scopes": [KEY]}}, "as-user-extra"),
        ({KEY: "a"}, "(another key)"),
        (plugin(env=[{"name": "AWS_SECRET_ACCESS_KEY", "value": KEY}]), "exec.env"),
        (plugin(env=[{"name": "DSN", "value": KEY}]), "exec.env"),
        (plugin("get-token", f"--token={KEY}"), "exec.args"),
        (plugin("get-token", "--token", KEY), "exec.args"),
        (plugin("get-token", "--client-id", "a", "--client-secret", "secret"), "exec.args"),
        (plugin("-c", f"echo '{EXEC_CREDENTIAL}'", command="sh"), "exec.args"),
        (plugin(EXEC_CREDENTIAL, command="echo"), "exec.args"),
        (plugin(base64.b64encode(EXEC_CREDENTIAL.encode()).decode(), command="base64"), "exec.args"),
        (plugin(KEY), "exec.args"),
        (plugin(config={"token": KEY}), "exec.config"),
        (plugin(installHint=EXEC_CREDENTIAL), "exec.installHint"),
    ],
)
@pytest.mark.parametrize("write", [yaml.safe_dump, json.dumps])
def test_a_credential_is_found_where_it_is(write: Any, user: Any, where: str) -> None:
    plain = json.loads(json.dumps(user))
    assert f"users[0].user.{where}" in embedded_credentials(write(kubeconfig(plain)))
    assert is_kubeconfig(kubeconfig(plain))


@pytest.mark.parametrize(
    "user",
    [
        None,
        {},
        {"client-certificate": "/pki/admin.crt", "client-key": "/pki/admin.key", "tokenFile": "/run/token"},
        {"client-certificate-data": CERTIFICATE, "client-key": "C:\\pki\\admin.key"},
        {"auth-provider": {"name": "gcp"}, "token": "", "as": "system:admin"},
        plugin("--region", "eu-west-1", "eks", "get-token", "--cluster-name", "platform", "--output=json", env=[]),
        plugin("get-token", "--login", "devicecode", "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630"),
        plugin(command="gke-gcloud-auth-plugin", installHint=GKE_HINT, provideClusterInfo=True, env=None),
        gke_kubeconfig("test", "192.0.2.1", CERTIFICATE)["users"][0]["user"],
    ],
)
def test_paths_and_plugins_are_no_credentials(user: Any) -> None:
    assert embedded_credentials(json.dumps(kubeconfig(user))) == []


@pytest.mark.parametrize(
    ("cluster", "where"),
    [
        ({"proxy-url": f"http://user:{KEY}@proxy.test:3128"}, "proxy-url"),
        ({"proxy-url": f"user:{KEY}@proxy.test"}, "proxy-url"),
        ({"server": f"https://user:{KEY}@192.0.2.1"}, "server"),
        ({"server": f"https://192.0.2.1/?token={KEY}"}, "server"),
        ({"certificate-authority-data": base64.b64encode(b"-----BEGIN PRIVATE KEY-----").decode()}, None),
        ({"extensions": [{"name": "x", "extension": KEY}]}, "extensions"),
    ],
)
def test_an_address_or_a_ca_may_hold_a_credential(cluster: dict[str, Any], where: str | None) -> None:
    place = f"clusters[0].cluster.{where or 'certificate-authority-data'}"
    assert place in embedded_credentials(json.dumps(kubeconfig({}, **cluster)))


@pytest.mark.parametrize(
    "address", ["https://rancher.test/k8s/clusters/c-1", "192.0.2.1:6443", "https://[2001:db8::1]"]
)
def test_an_address_alone_is_no_credential(address: str) -> None:
    config = kubeconfig({}, **{"server": address, "proxy-url": "socks5://proxy.test:1080"})
    assert embedded_credentials(json.dumps(config)) == []


def test_what_is_not_looked_at_is_no_hiding_place() -> None:
    for hidden in ({"token": KEY}, {"users.name": KEY, "users.user.exec.args": KEY}, {"clusters.name": [KEY]}):
        assert embedded_credentials(json.dumps({**kubeconfig({}), **hidden})), hidden
    commented = yaml.safe_dump(kubeconfig({})) + f"# token: {KEY}\n"
    assert embedded_credentials(commented) == [f"the comment in line {len(commented.splitlines())}"]
    merged = f"x: &user\n  token: {KEY}\nusers:\n- name: a\n  user:\n    <<: *user\n"
    assert embedded_credentials(merged) == ["x", "users[0].user.token"]
    nested = {**kubeconfig({}), "users": [[{"user": {"token": KEY}}], {"name": "a", "user": [{"token": KEY}]}]}
    assert credentials_in(nested) == ["users[0]", "users[1].user"]
    deep = json.loads('{"x":' * 900 + "1" + "}" * 900)
    assert credentials_in({"users": [{"user": {"exec": deep}}]}) == ["users[0].user.exec.x"]
    for twice in (f"users:\n- name: a\n  user: {{token: {KEY}, token: ''}}\n", f"{{}}\n---\ntoken: {KEY}\n"):
        with pytest.raises(ValueError, match="is not YAML"):
            embedded_credentials(twice)


@pytest.mark.parametrize(
    "value",
    [
        "users", ["users"], {}, {"users": ["ada"]}, {"users": {"user": {"token": "x"}}},
        {"users": [{"user": {"email": "ada@acme.dev"}}]}, {"clusters": [{"cluster": "a"}], "users": None},
    ],
)  # fmt: skip
def test_something_else_is_not_taken_for_a_kubeconfig(value: Any) -> None:
    assert not is_kubeconfig(value)


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
        Client(kubeconfig)
    except ClusterError:
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
    [
        ("~/.kube/config", False), ("/run/kubeconfig\n", False), ("C:\\kube\\config", False), ("/a:/b", False),
        ("{}", True), ("apiVersion: v1\nkind: Config", True), ("apiVersion: v1\rkind: Config", True),
        ("users: [{name: a}]", True), ('\ufeff{"users":[]}', True),
    ],
)  # fmt: skip
def test_content_is_told_from_a_path(text: str, content: bool) -> None:
    assert is_content(text) is content


TAGGED = [f"a: !!{tag} {KEY}\n" for tag in ("int", "float", "timestamp", "bool")]


@pytest.mark.parametrize("content", [*TAGGED, "a: !!int ''\n", "[" * 3000, "{a: 2020-99-99}\n"])
def test_what_the_parser_stumbles_over_is_not_yaml_and_not_quoted(content: str) -> None:
    with pytest.raises(ValueError, match="is not YAML") as refused:
        parse(content)
    assert KEY not in str(refused.value)
