"""The roles that ship with the project, and the bindings that grant them to a stack's identities."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.specs import client_ca, istio, solver_route
from components.specs.names import stack_suffix
from deploy.bootstrap.rbac.rights import EVERYWHERE, Right, rights_of

Object = dict[str, Any]

SELDOM = "seen-only-when"
"""Annotation of a role that only some runs need, with the reason."""

INSTALLS = "deploy-cert-manager"
"""The file that a stack without a cert-manager of its own does not need."""

FILES: Mapping[str, Sequence[str]] = {
    "preview": ("preview", "http01"),
    "drift": ("drift", "http01"),
    "deploy": ("deploy", "http01", INSTALLS),
}
"""The files of each identity's roles."""


@dataclass(frozen=True)
class Place:
    """Where a stack is in its cluster, as its config says."""

    gateways: Sequence[str] = (f"{istio.NAMESPACE}/{istio.SERVICE}",)
    """Namespace and Service of each gateway."""
    cert_manager_namespace: str = "cert-manager"
    secrets: Sequence[str] = (istio.CREDENTIAL,)
    """The certificates' Secrets."""
    installs: bool = True
    """Whether the stack installs cert-manager."""
    control_plane_namespace: str = solver_route.CONTROL_PLANE
    """istiod's namespace."""
    mesh_config: str = "istio"
    """The ConfigMap with Istio's mesh config, `istio-REVISION` for a revision."""
    applications: Sequence[str] = ()
    """The namespaces of the applications, for `mtls` and the Gateway API."""
    stack: str = ""
    """The stack's name. The names of its roles, its alerts and its dashboard end with it."""


_DEFAULT = Place()

_MESH = "-mesh"
"""Suffix of roles for istiod's namespace."""

_APPLICATION = "APPLICATION"
"""The namespace of roles for each of the applications' namespaces."""


def roles(identity: str, place: Place = _DEFAULT) -> list[Object]:
    """Return an identity's roles for a place."""
    services: dict[str, list[str]] = {}
    for gateway in place.gateways:
        namespace, _, service = gateway.partition("/")
        services.setdefault(namespace, []).append(service)
    texts = [
        (Path(__file__).parent / f"{name}.yaml").read_text().replace("IDENTITY", identity)
        for name in FILES[identity]
        if place.installs or name != INSTALLS
    ]
    return [
        placed
        for text in texts
        for role in yaml.safe_load_all(text)
        if role
        for placed in _placed(role, place, services)
    ]


def _placed(role: Object, place: Place, services: Mapping[str, list[str]]) -> Iterator[Object]:
    """Yield a role once for each of the stack's namespaces that it is for, with the stack's own names."""
    namespaces: dict[str | None, list[str] | list[None]] = {
        None: [None],
        istio.NAMESPACE: list(services),
        _DEFAULT.cert_manager_namespace: [place.cert_manager_namespace],
        _APPLICATION: list(place.applications),
    }
    is_for_mesh = role["metadata"]["name"].endswith(_MESH)
    for namespace in [place.control_plane_namespace] if is_for_mesh else namespaces[role["metadata"].get("namespace")]:
        placed = copy.deepcopy(role)
        if namespace:
            placed["metadata"]["namespace"] = namespace
        for rule in placed["rules"]:
            _rename(rule, place, services.get(namespace or "", []))
        yield placed


def _rename(rule: Object, place: Place, services: Sequence[str]) -> None:
    suffix = stack_suffix(place.stack)
    own_names: dict[tuple[str, str], Sequence[str]] = {
        ("secrets", istio.CREDENTIAL): place.secrets,
        ("secrets", client_ca.reference(istio.CREDENTIAL)): [client_ca.reference(name) for name in place.secrets],
        ("services", istio.SERVICE): services,
        ("deployments", istio.SERVICE): services,
        ("configmaps", _DEFAULT.mesh_config): [place.mesh_config],
        ("configmaps", "certificates-dashboard"): [f"certificates-dashboard-{suffix}"],
        ("validatingadmissionpolicies", "reserved-hosts"): [f"reserved-hosts-{suffix}"],
        ("podmonitors", "certificates"): [f"certificates-{suffix}"],
        ("podmonitorings", "certificates"): [f"certificates-{suffix}"],
        ("namespaces", istio.NAMESPACE): list(dict.fromkeys(gateway.partition("/")[0] for gateway in place.gateways)),
        ("namespaces", _DEFAULT.cert_manager_namespace): [place.cert_manager_namespace],
    }
    if "resourceNames" in rule:
        [resource, *_], names = rule["resources"], rule["resourceNames"]
        rule["resourceNames"] = [own for name in names for own in own_names.get((resource, name), [name])]


def manifests(identity: str, user: str, place: Place) -> Iterator[Object]:
    """Yield an identity's roles, each followed by its binding.

    The roles' names end with the stack's, because another stack in the cluster may be in other namespaces. The
    user is the service account's e-mail address, which is its name in a GKE cluster.
    """
    for role in roles(identity, place):
        metadata = role["metadata"] | {"name": f"{role['metadata']['name']}-{place.stack}"}
        yield role | {"metadata": metadata}
        yield {
            "apiVersion": role["apiVersion"],
            "kind": f"{role['kind']}Binding",
            "metadata": {key: value for key, value in metadata.items() if key != "annotations"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": metadata["name"]},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        }


def rights(roles_: Sequence[Object]) -> tuple[set[Right], set[Right]]:
    """Return the rights of roles: those that every run needs, and those that some need."""
    always: set[Right] = set()
    seldom: set[Right] = set()
    for role in roles_:
        target = seldom if SELDOM in role["metadata"].get("annotations", {}) else always
        target.update(rights_of(role["rules"], role["metadata"].get("namespace", EVERYWHERE)))
    return always, seldom
