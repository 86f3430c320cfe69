"""No private key in the state, however it is encoded."""

import base64
import json
import textwrap
from typing import Any

import pulumi
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi_policy import PolicyResource
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from components.kube.kubeconfig import gke_kubeconfig
from policies.private_keys import NO_PRIVATE_KEY, key_in
from tests.policies.support import advice, breaks, configured, findings, holds, kubernetes, resource

KEY = ec.generate_private_key(ec.SECP256R1())
ENCRYPTED = BestAvailableEncryption(b"password")


def encoded(value: str | bytes) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()


JWK = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}
CLAIMS = {"iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:shop:default"}
TOKEN = ".".join(encoded(json.dumps(part)).rstrip("=") for part in ({"alg": "RS256"}, CLAIMS, {"signature": "AA"}))
CERTIFICATE = f"-----BEGIN CERTIFICATE-----\n{encoded(bytes(900))}\n-----END CERTIFICATE-----\n"


def secret(**props: Any) -> PolicyResource:
    return kubernetes("core/v1:Secret", "account", **props)


def wrapped(text: str, width: int = 64) -> str:
    return "\n".join(textwrap.wrap(text, width))


def pem(form: PrivateFormat = PrivateFormat.PKCS8, encryption: KeySerializationEncryption | None = None) -> str:
    return KEY.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


def kubeconfig(**user: Any) -> dict[str, Any]:
    return {**gke_kubeconfig("prod", "192.0.2.1", encoded(CERTIFICATE)), "users": [{"name": "prod", "user": user}]}


LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def applied(key: str) -> str:
    return json.dumps({"kind": "Secret", "data": {"tls.key": encoded(key)}})


FORMS = {
    "PKCS 8": pem(),
    "EC": pem(PrivateFormat.TraditionalOpenSSL),
    "encrypted": pem(encryption=ENCRYPTED),
    "PGP": "-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
    "JWK": json.dumps(JWK),
    "JWK in a list": json.dumps({"keys": [{"kty": "RSA", "n": "AA"}, JWK]}),
    "JWK in one of several documents": f"a: 1\n---\n{yaml.safe_dump(JWK)}",
    "symmetric JWK": json.dumps({"kty": "oct", "k": "AA" * 20}),
    "kubeconfig with a key": json.dumps(kubeconfig(**{"client-key-data": "AA"})),
    "kubeconfig with a token": yaml.safe_dump(kubeconfig(token="AA")),
    "kubeconfig with a password": json.dumps(kubeconfig(username="admin", password="AA")),
    "kubeconfig with a plugin's argument": json.dumps(kubeconfig(exec={"command": "aws", "args": ["--token", "AA"]})),
    "kubeconfig with a plugin's variable": yaml.safe_dump(kubeconfig(exec={"env": [{"name": "A", "value": "AA"}]})),
    "kubeconfig with a proxy's password": json.dumps(
        {**kubeconfig(), "clusters": [{"name": "a", "cluster": {"proxy-url": "http://a:b@c", "server": "https://a"}}]}
    ),
    "token of a ServiceAccount": TOKEN,
    "ExecCredential": json.dumps({"kind": "ExecCredential", "status": {"token": "AA"}}),
    "user of Google Cloud": json.dumps({"type": "authorized_user", "client_id": "AA", "refresh_token": "1//AA"}),
    "token of Google Cloud": f"token={'ya29.' + 'a0_-' * 30}",
    "Secret for a token": yaml.safe_dump({"kind": "Secret", "type": "kubernetes.io/service-account-token"}),
    "kubeconfig with an old plugin": yaml.safe_dump(kubeconfig(**{"auth-provider": {"config": {"id-token": "AA"}}})),
}

ENCODINGS = {
    "as it is": lambda text: text,
    "base64": encoded,
    "base64 of the other alphabet, without padding": lambda text: (
        encoded(text).translate(str.maketrans("+/", "-_")).rstrip("=")
    ),
    "base64 in base64": lambda text: encoded(wrapped(encoded(text), 76)),
    "YAML": lambda text: yaml.safe_dump({"data": {"tls.key": encoded(text)}}),
    "a block of YAML": lambda text: (
        f"data:\n  tls.key: |\n{textwrap.indent(wrapped(encoded(text)), '    ')}\n  other: x\n"
    ),
    "JSON in JSON": lambda text: json.dumps({"inner": json.dumps({"key": wrapped(encoded(text))})}),
    "after a word": lambda text: f"key {wrapped(encoded(text))}\n",
}


@pytest.mark.parametrize("key", FORMS.values(), ids=list(FORMS))
def test_every_kind_of_key_is_refused(key: str) -> None:
    for text in (key, encoded(key)):
        breaks(NO_PRIVATE_KEY, secret(stringData={"tls.key": text}), saying="Secret-account: stringData.tls.key is a")


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=list(ENCODINGS))
@pytest.mark.parametrize("form", ["PKCS 8", "JWK", "kubeconfig with a token"])
def test_a_key_is_refused_in_every_encoding(form: str, encoding: Any) -> None:
    text = encoding(FORMS[form])
    breaks(NO_PRIVATE_KEY, secret(stringData={"tls.key": text}), saying="Secret-account: stringData.tls.key is a")


@pytest.mark.parametrize("encryption", [NoEncryption(), ENCRYPTED], ids=["plain", "encrypted"])
def test_a_key_in_der_is_refused(encryption: KeySerializationEncryption) -> None:
    key = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption)
    breaks(NO_PRIVATE_KEY, secret(data={"key.der": encoded(key)}), saying="data.key.der is a private key")


@pytest.mark.parametrize(
    ("holder", "where"),
    [
        (
            kubernetes("core/v1:ConfigMap", metadata={"annotations": {LAST_APPLIED: applied(pem())}}),
            f"metadata.annotations.{LAST_APPLIED}",
        ),
        (
            kubernetes("apps/v1:Deployment", spec={"containers": [{"env": [{"name": "A", "value": TOKEN}]}]}),
            "spec.containers.0.env.0.value",
        ),
        (resource("pulumi:providers:gcp", {"credentials": json.dumps({"private_key": pem()})}), "credentials"),
        (resource("pulumi:providers:gcp", {"accessToken": f"ya29.{'a' * 100}"}), "accessToken"),
        (resource("kubernetes:helm.sh/v3:Release", {"values": {"a": [{"key": encoded(pem())}]}}), "values.a.0.key"),
        (resource("pulumi:providers:kubernetes", {"kubeconfig": json.dumps(kubeconfig(token="AA"))}), "kubeconfig"),
        (resource("random:index/x:X", {"jwk": JWK}), "jwk"),
        (resource("random:index/x:X", {"config": kubeconfig(token="AA")}), "config"),
        (resource("random:index/x:X", {"file": pulumi.StringAsset(pem())}), "file"),
        (resource("random:index/x:X", {"a": pulumi.AssetArchive({"k": pulumi.StringAsset(pem())})}), "a.k"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.resource_type,
)
def test_a_key_is_refused_in_every_property_of_every_resource(holder: PolicyResource, where: str) -> None:
    breaks(NO_PRIVATE_KEY, holder, saying=f"{holder.name}: {where} is a")


def test_the_fix_depends_on_the_kind_of_key() -> None:
    provider = resource("pulumi:providers:kubernetes", {"kubeconfig": yaml.safe_dump(kubeconfig(token="AA"))})
    assert "pulumi config set --path gke.cluster NAME" in findings(NO_PRIVATE_KEY.policy(), provider)[0]
    key = findings(NO_PRIVATE_KEY.policy(), secret(stringData={"key": pem()}))[0]
    assert "cmctl renew" in key
    assert "gke.cluster" not in key


def test_a_secret_that_the_api_server_fills_is_refused_before_it_does() -> None:
    breaks(NO_PRIVATE_KEY, secret(type="kubernetes.io/service-account-token"), saying="Secret-account is a Secret that")


def test_no_key_is_printed() -> None:
    for form, key in FORMS.items():
        printed = "".join(findings(NO_PRIVATE_KEY.policy(), secret(stringData={"key": key})))
        assert key.strip().splitlines()[-1] not in printed, form


@pytest.mark.parametrize(
    "type_",
    [
        "tls:index/privateKey:PrivateKey",
        "gcp:serviceaccount/key:Key",
        "acme:index/certificate:Certificate",
        "acme:index/registration:Registration",
    ],
)
def test_a_resource_that_makes_a_key_is_refused_before_it_does(type_: str) -> None:
    breaks(
        NO_PRIVATE_KEY, resource(type_, {"privateKey": UNKNOWN_STRING_VALUE}), saying="is a resource that makes a key"
    )
    breaks(NO_PRIVATE_KEY, resource(type_, {"privateKey": pem()}), saying="privateKey is a private key", times=1)


@pytest.mark.parametrize(
    "text",
    [
        CERTIFICATE,
        json.dumps({key: value for key, value in JWK.items() if key != "d"}),
        json.dumps({"kty": "RSA", "n": "AA", "nested": {"d": "AA"}}),
        yaml.safe_dump(gke_kubeconfig("prod", "192.0.2.1", encoded(CERTIFICATE))),
        json.dumps(kubeconfig(**{"client-certificate-data": encoded(CERTIFICATE), "client-key": "/home/me/key.pem"})),
        "users: [ada, grace]",
        "users: {user: {token: x}}",
        "kty: {",
        "kty: &a [*a]\nusers: *a",
        "-----BEGIN PUBLIC KEY-----",
        encoded(b"0" + bytes(range(200))),
    ],
    ids=range(11),
)
def test_other_values_hold(text: str) -> None:
    holds(NO_PRIVATE_KEY, secret(data={"value": encoded(text), "n": 5.0}, stringData={"value": text, "none": None}))


def test_an_unknown_value_hides_no_key_and_is_reported_for_a_secret() -> None:
    beside = secret(stringData={"a": UNKNOWN_STRING_VALUE, "b": pem()})
    breaks(NO_PRIVATE_KEY, beside, saying="stringData.b")
    assert advice(beside) == ["Secret-account: stringData.a is not known in this preview (no-private-key-in-state)"]


def test_an_unknown_part_of_a_kubeconfig_hides_no_credential() -> None:
    half = kubeconfig(token="AA", exec={"command": UNKNOWN_STRING_VALUE, "args": ["a", UNKNOWN_STRING_VALUE]})
    half["clusters"][0]["cluster"]["server"] = UNKNOWN_STRING_VALUE
    provider = resource("pulumi:providers:kubernetes", {"kubeconfig": half})
    breaks(NO_PRIVATE_KEY, provider, saying="a credential of a kubeconfig (users[0].user.token)")


def test_unknown_values_of_other_resources_hold() -> None:
    jwk = resource("random:index/x:X", {"kty": UNKNOWN_STRING_VALUE, "d": "AA", "id": UNKNOWN_STRING_VALUE})
    with configured(production="true"):
        holds(NO_PRIVATE_KEY, jwk)


@given(st.text(max_size=300))
@settings(deadline=None)
def test_a_random_text_holds_no_key(text: str) -> None:
    assert key_in(text) is None


@given(before=st.text("abcXYZ012+/", max_size=9), after=st.text("abcXYZ012+/", max_size=9))
@settings(deadline=None)
def test_base64_is_decoded_at_any_alignment(before: str, after: str) -> None:
    assert key_in(f"{before}{encoded(FORMS['EC'])}{after}") == "a private key"


DEEP = "a: " + "[" * 1000


@pytest.mark.parametrize("text", [DEEP, encoded(DEEP), json.dumps({"inner": DEEP}), "a: b\n" * 300_000])
def test_a_text_that_is_too_large_to_be_read_is_refused_in_production(text: str) -> None:
    large = secret(stringData={"value": text})
    assert findings(NO_PRIVATE_KEY.policy(), large) == []
    assert "stringData.value has too many values" in advice(large)[0] or "is longer than" in advice(large)[0]
    with configured(production="true"):
        breaks(NO_PRIVATE_KEY, large, saying="Secret-account cannot be judged: stringData.value ")


def test_a_text_that_is_too_large_hides_no_key() -> None:
    beside = json.dumps({"a": DEEP, "b": encoded(pem()), "c": DEEP})
    breaks(NO_PRIVATE_KEY, secret(stringData={"both": beside}), saying="stringData.both is a private key")
    breaks(NO_PRIVATE_KEY, secret(stringData={"a": DEEP, "b": pem(), "c": DEEP}), saying="stringData.b is a private")


def test_a_text_of_backslashes_is_searched_in_no_time() -> None:
    assert key_in("\\" * 100_000) is None


def test_a_malformed_document_hides_no_key() -> None:
    for text in ("a: !x 1\nkty: EC\nd: AA", "{[a]: b, kty: EC, d: AA}", "kty: EC\nd: AA\n---\n{"):
        assert key_in(text) == "a private JWK", text
