"""Private keys stay in the cluster, where cert-manager makes those of certificates and of ACME accounts."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key
from pulumi_policy.proxy import UnknownValueError

from components.kube.kubeconfig import credentials_in, is_kubeconfig
from components.problem import Problem
from policies.documents import MAX_DEPTH, MAX_LENGTH, UnreadableError, parse
from policies.findings import Finding, Rule, Unjudged
from policies.objects import Resource, Stack, items, unknown_value

_PEM = re.compile(r"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----")
_GOOGLE_TOKEN = re.compile(r"\bya29\.[\w-]{20,}")
_DER_SEQUENCE = b"\x30"

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}")
"""Long enough for a header of PEM; a key is longer."""

_BLANK = re.compile(r"\s|(?<!\\)\\+[nrt]")
"""White space that may break base64, also as JSON and YAML escape it."""

_MAX_DEPTH = 5
"""How many encodings are opened: base64 in YAML in base64, and some more."""

_KEY_MAKERS = {
    "acme:index/certificate:Certificate",
    "acme:index/registration:Registration",
    "gcp:serviceaccount/key:Key",
    "tls:index/privateKey:PrivateKey",
}
"""Resources whose outputs are keys, which a preview does not know yet."""

_FIX_KUBECONFIG = (
    "pulumi config set --path gke.cluster NAME && pulumi config set --path gke.location LOCATION",
    "users: [{name: NAME, user: {exec: …}}]    # or a kubeconfig of yours with a plugin instead of credentials",
)

_FIX_UNREADABLE = (f"divide the text: at most {MAX_LENGTH} characters, and {MAX_DEPTH} values within each other",)

_SECRETS = "kubernetes:core/v1:Secret"
"""Prefix of Secrets, lists of them, and Patches."""


@dataclass(frozen=True)
class _Properties:
    """All properties of a resource."""

    resource: Resource

    @property
    def where(self) -> str:
        return self.resource.name


def _keys_in_state(properties: _Properties, _stack: Stack) -> Iterator[Finding]:
    """Yield the properties that hold a private key.

    The SDK passes secrets as plain values, so this refuses an encrypted key as well: the stack needs neither.
    """
    unknown: list[UnknownValueError] = []
    findings = list(_keys(properties, unknown))
    yield from findings
    if not findings and properties.resource.resource_type in _KEY_MAKERS:
        yield Problem(properties.where, "is a resource that makes a key and keeps it in the state")
    # Unknown values of other resources come from their providers: addresses, identifiers.
    if properties.resource.resource_type.startswith(_SECRETS):
        for error in unknown:
            yield Unjudged(properties.where, unknown_value(error))


def _keys(properties: _Properties, unknown: list[UnknownValueError]) -> Iterator[Finding]:
    """Yield the keys, and the texts that are not read; collect unknown values, which hide nothing beside them."""
    waiting: list[tuple[str, Any]] = [("", properties.resource.props)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, pulumi.StringAsset):
            value = value.text
        elif isinstance(value, pulumi.AssetArchive):
            value = value.assets
        what = None
        try:
            what = key_in(value)
        except UnreadableError as error:
            yield Unjudged(properties.where, f"{path} {error}, and is not searched for keys", _FIX_UNREADABLE)
        except UnknownValueError:
            pass  # It is met again below.
        if what:
            yield Problem(
                properties.where, f"{path} is {what}".lstrip(), _FIX_KUBECONFIG if "kubeconfig" in what else ()
            )
            continue
        waiting += [(f"{path}.{key}" if path else str(key), child) for key, child in _children(value, unknown)]


def _children(value: Any, unknown: list[UnknownValueError]) -> Iterator[tuple[Any, Any]]:
    """Yield what is known in a mapping by its keys, or in a list by its positions; collect what is not."""
    for key in list(value) if isinstance(value, Mapping) else range(len(items(value))):
        try:
            child = value[key]
        except UnknownValueError as error:
            unknown.append(error)
        else:
            yield key, child


def key_in(value: Any, depth: int = _MAX_DEPTH) -> str | None:
    """Return which kind of key a value is, or holds in some encoding; None if there is none.

    Raises:
        UnreadableError: It holds a text that exceeds a bound, and no key beside it.
    """
    if isinstance(value, bytes):
        if value.startswith(_DER_SEQUENCE) and _is_der_key(value):
            return "a private key"
        # Words glued to base64 decode to bytes that are not text.
        value = value.decode(errors="replace")
    if isinstance(value, str):
        if _PEM.search(value):
            return "a private key"
        if _GOOGLE_TOKEN.search(value):
            return "a credential of Google Cloud"
        return _first_key(_parts(value), depth - 1) if depth else None
    return _key_of(value) if isinstance(value, Mapping) else None


def _first_key(values: Iterable[Any], depth: int) -> str | None:
    unreadable = None
    for value in values:
        try:
            if what := key_in(value, depth):
                return what
        except UnreadableError as error:
            unreadable = error
    if unreadable:
        raise unreadable
    return None


def _key_of(value: Mapping[str, Any]) -> str | None:
    if str(value.get("sub")).startswith("system:serviceaccount:"):
        return "a token of a ServiceAccount"
    if value.get("type") == "kubernetes.io/service-account-token":
        return "a Secret that the API server fills with a token"
    if value.get("kind") == "ExecCredential" and value.get("status"):
        return "a credential of a cluster"
    if value.get("refresh_token"):
        return "a refresh token"
    # A JWK (RFC 7517) or a kubeconfig.
    if isinstance(value.get("kty"), str) and (value.get("d") or (value["kty"] == "oct" and value.get("k"))):
        return "a private JWK"
    if isinstance(value.get("client-key-data"), str):
        return "a client key of a kubeconfig"
    kubeconfig = _known(value) if "users" in value or "clusters" in value else None
    if is_kubeconfig(kubeconfig) and (places := credentials_in(kubeconfig)):
        return f"a credential of a kubeconfig ({', '.join(places)})"
    return None


def _known(value: Any) -> Any:
    """Return a value without what the preview does not know, which hides no credential beside it."""
    known = {key: _known(child) for key, child in _children(value, [])}
    if isinstance(value, Mapping):
        return known
    return list(known.values()) if items(value) else value


def _parts(text: str) -> Iterator[Any]:
    """Yield what the base64 in a text decodes to, and the values of JSON or YAML."""
    for run in {*_BASE64.findall(text), *_BASE64.findall(_BLANK.sub("", text))}:
        # A word in front of a run whose blanks were removed shifts it by up to three characters.
        yield from (_decoded(run[start:]) for start in range(4))
    if ":" in text:
        yield from (value for value in _nested(parse(text)) if value != text)


def _nested(root: Any) -> Iterator[Any]:
    """Yield every value of JSON or YAML once. Aliases can repeat a value."""
    waiting, seen = [root], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _decoded(run: str) -> bytes:
    """Decode base64 of either alphabet (RFC 4648), up to the last whole byte."""
    standard = run.rstrip("=").translate(str.maketrans("-_", "+/"))
    if len(standard) % 4 == 1:
        standard = standard[:-1]
    return base64.b64decode(f"{standard}==")


def _is_der_key(data: bytes) -> bool:
    try:
        load_der_private_key(data, None)
    except TypeError:
        return True  # An encrypted key, whose password is missing.
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


NO_PRIVATE_KEY = Rule(
    name="no-private-key-in-state",
    description="The state holds no private key, no ACME account key and no credential of a cluster, encrypted or not,"
    " also within base64, JSON and YAML: cert-manager makes its keys in the cluster and keeps them there.",
    fix=(
        "remove it from the program: Certificates and issuers fill their Secrets themselves",
        "cmctl renew --namespace NAMESPACE CERTIFICATE    # replaces a key that has been in a state",
    ),
    cannot_see="keys that are compressed, in a keystore (PKCS 12, JKS), in hexadecimal or in pieces; files that an"
    " asset only names; other tokens than those of ServiceAccounts and of Google Cloud, and passwords, outside of a"
    " kubeconfig, in its comments, and in a key that a later one of the same name replaces; values that a preview does"
    " not know: those of Secrets are reported as an advisory, and the `up` that makes them fails",
    subjects=lambda resource: [_Properties(resource)],
    find=_keys_in_state,
)
