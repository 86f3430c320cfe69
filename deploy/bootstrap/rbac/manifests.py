"""The roles that ship with the project, and the bindings that give them to the identities of a stack."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from components.kube import solver_route
from components.specs import client_ca, istio
from components.specs.names import stack_suffix
from deploy.bootstrap.rbac.rules import EVERYWHERE, Right, rights_of

Object = dict[str, Any]

SELDOM = "seen-only-when"
"""Annotation of a role: which runs need it. Another role is needed in every run."""

FILES: Mapping[str, Sequence[str]] = {
    "preview": ("preview",),
    "drift": ("drift",),
    "deploy": ("deploy", "deploy-cert-manager"),
}
"""The files of each identity's roles."""

INSTALLS = "deploy-cert-manager"
"""The file that a stack without a cert-manager of its own does not need."""


@dataclass(frozen=True)
class Place:
    """Where a stack is in its cluster, as its config says."""

    gateways: Sequence[str] = (f"{istio.NAMESPACE}/{istio.SERVICE}",)
    """The namespace and the Service of each gateway."""
    cert_manager_namespace: str = "cert-manager"
    secrets: Sequence[str] = field(default=(istio.CREDENTIAL,))
    """The certificates' Secrets."""
    installs: bool = True
    """Whether it installs cert-manager."""
    control_plane_namespace: str = solver_route.CONTROL_PLANE
    """istiod's."""
    mesh_config: str = "istio"
    """The ConfigMap there, `istio-REVISION` with a revision of Istio."""
    dashboard: str = "certificates-dashboard"
    """The ConfigMap of the stack's dashboard; `manifests` makes the name out of the stack's."""


_DEFAULT = Place()

_MESH = "-mesh"
"""How the name of a role ends that is for istiod's namespace."""


def roles(identity: str, place: Place = _DEFAULT) -> list[Object]:
    """Return an identity's roles, for where a stack is."""
    files = [name for name in FILES[identity] if place.installs or name != INSTALLS]
    texts = [(Path(__file__).parent / f"{name}.yaml").read_text() for name in files]
    services: dict[str, list[str]] = {}
    for gateway in place.gateways:
        namespace, _, service = gateway.partition("/")
        services.setdefault(namespace, []).append(service)
    return [
        made for text in texts for role in yaml.safe_load_all(text) if role for made in _placed(role, place, services)
    ]


def _placed(role: Object, place: Place, services: Mapping[str, list[str]]) -> Iterator[Object]:
    """Yield a role for each namespace that a stack is in, with the stack's own names."""
    namespaces: dict[str | None, list[str] | list[None]] = {
        None: [None],
        istio.NAMESPACE: list(services),
        _DEFAULT.cert_manager_namespace: [place.cert_manager_namespace],
    }
    of_mesh = role["metadata"]["name"].endswith(_MESH)
    for namespace in [place.control_plane_namespace] if of_mesh else namespaces[role["metadata"].get("namespace")]:
        made = copy.deepcopy(role)
        if namespace:
            made["metadata"]["namespace"] = namespace
        for rule in made["rules"]:
            _rename(rule, place, services.get(namespace or "", []))
        yield made


def _rename(rule: Object, place: Place, services: Sequence[str]) -> None:
    names = rule.get("resourceNames")
    if names == list(_DEFAULT.secrets):
        rule["resourceNames"] = list(place.secrets)
    elif names == [client_ca.reference(istio.CREDENTIAL)]:
        rule["resourceNames"] = [client_ca.reference(each) for each in place.secrets]
    elif names == [istio.SERVICE]:
        rule["resourceNames"] = list(services)
    elif names == [_DEFAULT.mesh_config] and rule["resources"] == ["configmaps"]:
        rule["resourceNames"] = [place.mesh_config]
    elif names == [_DEFAULT.dashboard]:
        rule["resourceNames"] = [place.dashboard]
    elif rule["resources"] == ["namespaces"] and names:
        rule["resourceNames"] = [place.cert_manager_namespace]


def manifests(identity: str, stack: str, user: str, place: Place = _DEFAULT) -> Iterator[Object]:
    """Yield an identity's roles, each with its binding.

    Roles are named after the stack: another one on the cluster may be in other namespaces.

    Args:
        identity: `preview`, `drift` or `deploy`.
        stack: its name.
        user: the service account's e-mail address, which is its name in a GKE cluster.
        place: where the stack is.
    """
    for role in roles(identity, replace(place, dashboard=f"{_DEFAULT.dashboard}-{stack_suffix(stack)}")):
        metadata = role["metadata"] | {"name": f"{role['metadata']['name']}-{stack}"}
        yield role | {"metadata": metadata}
        yield {
            "apiVersion": role["apiVersion"],
            "kind": f"{role['kind']}Binding",
            "metadata": {key: value for key, value in metadata.items() if key != "annotations"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": metadata["name"]},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        }


def rights(found: Sequence[Object]) -> tuple[set[Right], set[Right]]:
    """Return what roles give: in every run, and in some."""
    always: set[Right] = set()
    seldom: set[Right] = set()
    for role in found:
        given = seldom if SELDOM in role["metadata"].get("annotations", {}) else always
        given.update(rights_of(role["rules"], role["metadata"].get("namespace", EVERYWHERE)))
    return always, seldom
