"""Private keys stay in the cluster, where cert-manager makes those of certificates and of ACME accounts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_policy.proxy import UnknownValueError

from components.problem import Problem
from policies.findings import Finding, StackRule, Unjudged
from policies.key_material import key_in_mapping, key_in_text
from policies.objects import Resource, Stack, unknown_value

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
    keys = list(_keys(properties.resource.props, "", unknown))
    for path, what in keys:
        yield Problem(properties.where, f"{path} is {what}", _FIX_KUBECONFIG if "kubeconfig" in what else ())
    if not keys and properties.resource.resource_type in _KEY_MAKERS:
        yield Problem(properties.where, "is a resource that makes a key and keeps it in the state")
    # Unknown values of other resources come from their providers: addresses, identifiers.
    if properties.resource.resource_type.startswith(_SECRETS):
        for error in unknown:
            yield Unjudged(properties.where, unknown_value(error))


def _keys(value: Any, path: str, unknown: list[UnknownValueError]) -> Iterator[tuple[str, str]]:
    """Yield path and kind of each key in a value; collect unknown values, which hide nothing beside them."""
    what = None
    if isinstance(value, str):
        what = key_in_text(value)
    elif isinstance(value, pulumi.StringAsset):
        what = key_in_text(value.text)
    elif isinstance(value, Mapping):
        what = _key_in_mapping(value)
    if what:
        yield path, what
        return
    for key in _children(value):
        try:
            child = value.assets[key] if isinstance(value, pulumi.AssetArchive) else value[key]
        except UnknownValueError as error:
            unknown.append(error)
            continue
        yield from _keys(child, f"{path}.{key}" if path else str(key), unknown)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, pulumi.AssetArchive):
        return list(value.assets)
    if isinstance(value, Mapping):
        return list(value)
    return range(len(value)) if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _key_in_mapping(value: Mapping[str, Any]) -> str | None:
    try:
        return key_in_mapping(value)
    except UnknownValueError:
        return None


NO_PRIVATE_KEY = StackRule(
    name="no-private-key-in-state",
    description="The state holds no private key, no ACME account key and no credential of a cluster: cert-manager makes"
    " its keys in the cluster and keeps them there.",
    fix=(
        "remove it from the program: Certificates and issuers fill their Secrets themselves",
        "cmctl renew --namespace NAMESPACE CERTIFICATE    # replaces a key that has been in a state",
    ),
    stops="keys in PEM (PKCS 8, EC, RSA, OpenSSH, PGP), in DER and as JWK; keys, tokens and passwords of kubeconfigs;"
    " in any property of any resource, encrypted or not, through base64, JSON and YAML within each other; resources"
    " that make keys (`tls.PrivateKey`, `gcp.serviceaccount.Key`)",
    cannot_see="keys that are compressed, in a keystore (PKCS 12, JKS), in hexadecimal or in pieces; files that an"
    " asset only names; values that a preview does not know: those of Secrets are reported as an advisory, and the `up`"
    " that makes them fails",
    subjects=lambda resource: [_Properties(resource)],
    find=_keys_in_state,
)
