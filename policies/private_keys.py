"""Private keys stay in the cluster: cert-manager makes them there, those of certificates and of ACME accounts."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy import PolicyResource
from pulumi_policy.proxy import UnknownValueError

from policies.findings import is_kind, stack_policy

_PEM = re.compile(r"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----")


def in_state(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """Yield the properties that hold a private key.

    The SDK hands secrets over as plain values, so an encrypted one is refused as well: the stack needs neither.
    """
    for resource in resources:
        secret = is_kind(resource, "core", "Secret")
        for path, value in _walk(resource.props):
            # The values of a Kubernetes Secret are base64.
            text = _decoded(value) if secret and path.startswith("data.") else value
            if _PEM.search(text) or _is_private_jwk(text):
                yield resource, f"{resource.name}: {path} is a private key."


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text and where it is; a value that is not known yet is passed over, and its siblings are not."""
    if isinstance(value, str):
        yield path, value
        return
    keys = list(value) if isinstance(value, Mapping) else range(len(value)) if isinstance(value, Sequence) else ()
    for key in keys:
        try:
            below = value[key]
        except UnknownValueError:
            continue
        yield from _walk(below, f"{path}.{key}" if path else str(key))


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode(errors="replace")
    except binascii.Error:
        return value


def _is_private_jwk(text: str) -> bool:
    """Tell the JSON form that ACME clients keep account keys in (RFC 7517, RFC 7518 section 6)."""
    return all(re.search(rf'"{member}"\s*:\s*"', text) for member in ("kty", "d"))


NO_PRIVATE_KEY = stack_policy(
    "no-private-key-in-state",
    "No private key and no ACME account key is in the state: cert-manager makes both in the cluster, and keeps them.",
    "Remove it from the program: Certificates and issuers fill their Secrets themselves.\n"
    "cmctl renew --namespace NAMESPACE CERTIFICATE    # replaces a key that has been in a state",
    in_state,
)
