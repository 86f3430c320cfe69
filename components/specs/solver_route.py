"""What Istio does with the Ingress of an HTTP-01 solver: its route follows MeshConfig, not a stack's own selector.

Istio turns an Ingress into a Gateway for the Pods with the label `istio: LABEL`, of any namespace, and serves only
those Ingresses that MeshConfig lets it (pilot/pkg/config/kube/ingress in Istio's source).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..problem import Problem, set_input
from ..shell import word
from .istio import SELECTOR

CLASS = "istio"
"""The ingress class of every solver here."""

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
"""Annotation of an Ingress with its class, which Istio prefers to the field."""

CONTROLLER = "istio.io/ingress-controller"
"""Of an IngressClass that is Istio's."""

CONTROL_PLANE = "istio-system"
"""The namespace that Istio's own charts install istiod into."""

REVISION = "istio.io/rev"
"""The label of what belongs to a revision of Istio; `default` is the one without a name."""

DEFAULTS = {
    "ingressControllerMode": "STRICT",
    "ingressClass": CLASS,
    "ingressService": "istio-ingressgateway",
    "ingressSelector": "",
}
"""What Istio takes where MeshConfig says nothing (pkg/config/mesh/mesh.go)."""


@dataclass(frozen=True)
class ControlPlane:
    """The istiod that configures a gateway."""

    namespace: str = CONTROL_PLANE
    revision: str = ""
    """Empty for the one without a name."""

    @property
    def config_map(self) -> str:
        """The ConfigMap of its MeshConfig, as Istio's chart names it."""
        return f"istio-{self.revision}" if self.revision else "istio"

    @property
    def release(self) -> str:
        """The Helm release of istiod, and its Deployment."""
        return f"istiod-{self.revision}" if self.revision else "istiod"

    def upgrade(self, key: str, value: str) -> str:
        """Return the command that sets a key of MeshConfig."""
        return (
            f"helm upgrade {word(self.release)} istio/istiod --namespace {word(self.namespace)} --reuse-values"
            f" --set {word(f'meshConfig.{key}={value}')}"
        )


def revision_of(labels: Mapping[str, str]) -> str:
    """Return the revision that a gateway's labels name; empty for the one without a name."""
    revision = labels.get(REVISION, "")
    return "" if revision == "default" else revision


def ingress_label(mesh: Mapping[str, Any]) -> str:
    """Return the value of the label `istio` of the Pods that an Ingress is for."""
    selector, service = (str(mesh.get(key) or "") for key in ("ingressSelector", "ingressService"))
    if selector or service in ("", DEFAULTS["ingressService"]):
        return selector or SELECTOR["istio"]
    return service


def solver_problem(
    mesh: Mapping[str, Any],
    labels: Mapping[str, str],
    class_field: str,
    ingress_class: str | None,
    plane: ControlPlane,
    commands: Mapping[str, str],
) -> Problem | None:
    """Return why the Ingress of a solver would not reach a gateway, or None.

    `ingress_class` is the controller of the IngressClass `istio`; empty where there is none, None if not known.
    """
    mesh = {**DEFAULTS, **mesh}
    mode = mesh["ingressControllerMode"]
    serves_class = ingress_class == CONTROLLER if ingress_class else mode == "DEFAULT"
    wanted = ingress_label(mesh)
    fix: Sequence[str]
    if mode == "OFF":
        what = "has ingressControllerMode OFF, so Istio serves no Ingress"
        fix = (
            plane.upgrade("ingressControllerMode", "STRICT"),
            # Whether there is a controller of Ingresses is decided when istiod starts.
            f"kubectl --namespace {word(plane.namespace)} rollout restart deployment {word(plane.release)}",
        )
    elif class_field == "class" and mesh["ingressClass"] != CLASS:
        what = f"has ingressClass {mesh['ingressClass']!r}, so Istio leaves Ingresses of class istio alone"
        fix = (plane.upgrade("ingressClass", CLASS),)
    elif class_field != "class" and ingress_class is not None and not serves_class:
        there = f"is {ingress_class}'s" if ingress_class else "does not exist"
        what = (
            f"has ingressControllerMode {mode} and the IngressClass istio {there}, so Istio leaves its Ingresses alone"
        )
        fix = (set_input(commands, "class_field", "class"),)
    elif (label := labels.get("istio", wanted)) != wanted:
        what = f"sends Ingresses to the Pods with the label istio={wanted}; this gateway's have istio={label}"
        fix = (plane.upgrade("ingressSelector", label),)
    else:
        return None
    where = f"ConfigMap {plane.namespace}/{plane.config_map}"
    solved = f"{what}: no HTTP-01 challenge would be answered by it"
    return Problem(where, solved, (*fix, set_input(commands, "challenge", "dns01", "in place of the above")))
