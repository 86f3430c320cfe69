"""Recognizes private keys, also within base64, JSON and YAML."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key

_PEM = re.compile(r"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----")
_DER_SEQUENCE = b"\x30"

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}")
"""Long enough for a header of PEM; a key is longer."""

_BLANK = re.compile(r"\s|\\+[nrt]")
"""White space that may break base64, also as JSON and YAML escape it."""

_MAX_DEPTH = 5
"""How many encodings are opened: base64 in YAML in base64, and some more."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml is ten times as fast, and manifests are long."""

_CREDENTIALS = ("client-key-data", "token", "password", "auth-provider")
"""Secrets of a user in a kubeconfig. A path, an exec plugin and a certificate are none."""


def key_in_text(text: str) -> str | None:
    """Return which kind of key a text is or contains, as base64, JSON or YAML; None if it has none."""
    return _in_text(text, _MAX_DEPTH)


def key_in_mapping(value: Mapping[str, Any]) -> str | None:
    """Return which kind of key a mapping is: a JWK (RFC 7517), a kubeconfig; None if it is none."""
    if isinstance(value.get("kty"), str) and (value.get("d") or (value["kty"] == "oct" and value.get("k"))):
        return "a private JWK"
    if isinstance(value.get("client-key-data"), str):
        return "a client key of a kubeconfig"
    users = value.get("users")
    for user in users if isinstance(users, Sequence) and not isinstance(users, str) else ():
        credentials = user.get("user") if isinstance(user, Mapping) else None
        if isinstance(credentials, Mapping) and any(credentials.get(key) for key in _CREDENTIALS):
            return "a credential of a kubeconfig"
    return None


def _in_text(text: str, depth: int) -> str | None:
    if _PEM.search(text):
        return "a private key"
    if not depth:
        return None
    return _in_structure(text, depth) or _in_base64(text, depth)


def _in_structure(text: str, depth: int) -> str | None:
    """Look for a key in the values of JSON or YAML."""
    if ":" not in text:
        return None
    try:
        parsed = list(yaml.load_all(text, _Loader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return next(filter(None, (_in_value(value, depth - 1) for value in _nested(parsed) if value != text)), None)


def _in_value(value: Any, depth: int) -> str | None:
    if isinstance(value, Mapping):
        return key_in_mapping(value)
    return _in_text(value, depth) if isinstance(value, str) else None


def _nested(root: Any) -> Iterator[Any]:
    """Yield every value of parsed YAML once. Aliases can repeat a value, or nest it in itself."""
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


def _in_base64(text: str, depth: int) -> str | None:
    for run in {*_BASE64.findall(text), *_BASE64.findall(_BLANK.sub("", text))}:
        # A word in front of a run whose blanks were removed shifts it by up to three characters.
        for start in range(4):
            what = _in_bytes(_decoded(run[start:]), depth - 1)
            if what:
                return what
    return None


def _decoded(run: str) -> bytes:
    """Decode base64 of either alphabet (RFC 4648), up to the last whole byte."""
    standard = run.rstrip("=").translate(str.maketrans("-_", "+/"))
    whole = standard[: len(standard) - (len(standard) % 4 == 1)]
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4))
    except binascii.Error:
        return b""


def _in_bytes(data: bytes, depth: int) -> str | None:
    if data.startswith(_DER_SEQUENCE) and _is_der_key(data):
        return "a private key"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # Words glued to the run decode to bytes that are not text.
        text = data.decode("latin-1")
    return _in_text(text, depth)


def _is_der_key(data: bytes) -> bool:
    try:
        load_der_private_key(data, None)
    except TypeError:
        return True  # An encrypted key, whose password is missing.
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True
