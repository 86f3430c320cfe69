"""What a private key looks like, in whatever it is wrapped."""

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
"""A run that is long enough to hold a header of PEM; a key is longer."""

_BLANK = re.compile(r"\s|\\+[nrt]")
"""What base64 may be broken by: white space, also as JSON and YAML write it within a text."""

_MAX_DEPTH = 5
"""Wrappings that are looked through: base64 in YAML in base64, and some more."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Manifests are long, and libyaml is ten times as fast."""

_CREDENTIALS = ("client-key-data", "token", "password", "auth-provider")
"""What a user of a kubeconfig may log in with; a path, an exec plugin and a certificate are no secret."""


def found_in(text: str) -> str | None:
    """Say which kind of key is in a text: itself, as base64 in any of its lines, in JSON or in YAML; None for none."""
    return _in_text(text, _MAX_DEPTH)


def found_in_mapping(value: Mapping[str, Any]) -> str | None:
    """Say which kind of key a mapping is: a JWK (RFC 7517), a kubeconfig."""
    if isinstance(value.get("kty"), str) and (value.get("d") or (value["kty"] == "oct" and value.get("k"))):
        return "a private JWK"
    if isinstance(value.get("client-key-data"), str):
        return "a client key of a kubeconfig"
    users = value.get("users")
    for user in users if isinstance(users, Sequence) and not isinstance(users, str) else ():
        given = user.get("user") if isinstance(user, Mapping) else None
        if isinstance(given, Mapping) and any(given.get(credential) for credential in _CREDENTIALS):
            return "a credential of a kubeconfig"
    return None


def _in_text(text: str, depth: int) -> str | None:
    if _PEM.search(text):
        return "a private key"
    if not depth:
        return None
    return _in_structure(text, depth) or _in_base64(text, depth)


def _in_structure(text: str, depth: int) -> str | None:
    """Look for a key in the values of JSON or YAML, as it is once unquoted."""
    if ":" not in text:
        return None
    try:
        parsed = list(yaml.load_all(text, _Loader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return next(filter(None, (_in_value(each, depth - 1) for each in _nested(parsed) if each != text)), None)


def _in_value(value: Any, depth: int) -> str | None:
    if isinstance(value, Mapping):
        return found_in_mapping(value)
    return _in_text(value, depth) if isinstance(value, str) else None


def _nested(root: Any) -> Iterator[Any]:
    """Yield all that is in parsed YAML, each once: aliases make one thing stand in several places, or in itself."""
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
        # A word before a run that blanks are taken from is part of it, and moves it by up to three characters.
        for start in range(4):
            found = _in_bytes(_decoded(run[start:]), depth - 1)
            if found:
                return found
    return None


def _decoded(run: str) -> bytes:
    """Decode base64 of either alphabet (RFC 4648); what is left over at the end is no whole byte."""
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
        # Not a text as a whole: a run that took a word before it or after it.
        text = data.decode("latin-1")
    return _in_text(text, depth)


def _is_der_key(data: bytes) -> bool:
    try:
        load_der_private_key(data, None)
    except TypeError:
        return True  # It is encrypted: a key that asks for its password.
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True
