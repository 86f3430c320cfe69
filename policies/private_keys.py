"""Private keys stay in the cluster: cert-manager makes them there, those of certificates and of ACME accounts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pulumi
from pulumi_policy import PolicyResource
from pulumi_policy.proxy import UnknownValueError

from components.problem import Problem
from policies.findings import Finding, StackRule, Unjudged
from policies.key_material import found_in, found_in_mapping
from policies.objects import Stack, unknown_value

_MAKERS = {
    "acme:index/certificate:Certificate",
    "acme:index/registration:Registration",
    "gcp:serviceaccount/key:Key",
    "tls:index/privateKey:PrivateKey",
}
"""Resources whose outputs are keys; a preview does not know them yet."""

_FIX_KUBECONFIG = (
    "pulumi config set --path gke.cluster NAME && pulumi config set --path gke.location LOCATION",
    "users: [{name: NAME, user: {exec: …}}]    # or a kubeconfig of yours with a plugin instead of credentials",
)

_SECRETS = "kubernetes:core/v1:Secret"
"""Secrets, lists of them, and Patches."""


def in_state(resource: PolicyResource, _stack: Stack) -> Iterator[Finding]:
    """Yield the properties that hold a private key.

    The SDK hands secrets over as plain values, so an encrypted one is refused as well: the stack needs neither.
    """
    unknown: list[UnknownValueError] = []
    found = list(_keys(resource.props, "", unknown))
    for path, what in found:
        yield Problem(resource.name, f"{path} is {what}", _FIX_KUBECONFIG if "kubeconfig" in what else ())
    if not found and resource.resource_type in _MAKERS:
        yield Problem(resource.name, "is a resource that makes a key and keeps it in the state")
    # What any other resource does not know yet is made by its provider: an address, an identifier.
    if resource.resource_type.startswith(_SECRETS):
        for value in unknown:
            yield Unjudged(resource.name, unknown_value(value))


def _keys(value: Any, path: str, unknown: list[UnknownValueError]) -> Iterator[tuple[str, str]]:
    """Yield where a key is, and which kind; values that are not known are put aside, and their siblings are not."""
    what = None
    if isinstance(value, str):
        what = found_in(value)
    elif isinstance(value, pulumi.StringAsset):
        what = found_in(value.text)
    elif isinstance(value, Mapping):
        what = _in_mapping(value)
    if what:
        yield path, what
        return
    for key in _below(value):
        try:
            below = value.assets[key] if isinstance(value, pulumi.AssetArchive) else value[key]
        except UnknownValueError as error:
            unknown.append(error)
            continue
        yield from _keys(below, f"{path}.{key}" if path else str(key), unknown)


def _below(value: Any) -> Iterable[Any]:
    if isinstance(value, pulumi.AssetArchive):
        return list(value.assets)
    if isinstance(value, Mapping):
        return list(value)
    return range(len(value)) if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _in_mapping(value: Mapping[str, Any]) -> str | None:
    try:
        return found_in_mapping(value)
    except UnknownValueError:
        return None


NO_PRIVATE_KEY = StackRule(
    name="no-private-key-in-state",
    description="No private key, no ACME account key and no credential of a cluster is in the state: cert-manager makes"
    " its keys in the cluster, and keeps them.",
    fix=(
        "remove it from the program: Certificates and issuers fill their Secrets themselves",
        "cmctl renew --namespace NAMESPACE CERTIFICATE    # replaces a key that has been in a state",
    ),
    stops="keys in PEM (PKCS 8, EC, RSA, OpenSSH, PGP), in DER and as JWK, and the keys, tokens and passwords of"
    " kubeconfigs; in any property of any resource, encrypted or not: in `data`, `binaryData`, `stringData`, the items"
    " of lists, the values of a release, the kubeconfig of a provider; through base64, JSON and YAML within each other;"
    " resources that make keys (`tls.PrivateKey`, `gcp.serviceaccount.Key`)",
    cannot_see="keys that are compressed, in a keystore (PKCS 12, JKS), in hexadecimal or in pieces; files that an"
    " asset only names; values that a preview does not know: those of Secrets are named as an advice, and the `up` that"
    " makes them fails",
    find=in_state,
)
