"""What closes a gateway inside of the mesh: Istio leaves its namespace alone, or a policy refuses the challenge's path.

https://istio.io/latest/docs/reference/config/security/authorization-policy/
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from ..kube.client import Object
from ..problem import Problem, set_input
from ..shell import word
from ..specs.solver_route import ControlPlane, solver_problem

PATH = "/.well-known/acme-challenge/"
"""Below it, a CA asks for the proof of HTTP-01."""

_TOKEN = f"{PATH}token"
_PORTS = {"80", "8080"}
"""Of the Pods, to which port 80 of the Service leads."""

_IDENTITIES = ("principals", "requestPrincipals", "namespaces", "serviceAccounts")
"""Fields of a source for what a CA does not have."""


@dataclass(frozen=True)
class Mesh:
    """A gateway, as Istio sees it."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of its Pods, as far as they are known."""
    config: Object | None = None
    """MeshConfig; None where it may not be read, as with an Istio that Google manages."""
    plane: ControlPlane = field(default_factory=ControlPlane)
    """The istiod that configures it."""
    by_route: bool = False
    """Whether a solver has an HTTPRoute, and no Ingress."""
    class_field: str = "class"
    """The field of a solver's Ingress that names its class."""
    ingress_class: str | None = None
    """The controller of the IngressClass `istio`; empty where there is none, None where it is not known."""
    namespace_labels: Mapping[str, str] | None = None
    """None where they may not be read."""
    policies: Sequence[Object] = ()
    """The AuthorizationPolicies of its namespace and of Istio's root namespace."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """What sets the inputs of the component."""


def no_route(mesh: Mesh) -> Iterator[Problem]:
    """Yield why the Ingress of a solver would not reach the gateway."""
    if mesh.config is None or mesh.by_route:
        return
    problem = solver_problem(mesh.config, mesh.labels, mesh.class_field, mesh.ingress_class, mesh.plane, mesh.commands)
    if problem:
        yield problem


def undiscovered(mesh: Mesh) -> Iterator[Problem]:
    """Yield the problem of a namespace that istiod does not read."""
    selectors = (mesh.config or {}).get("discoverySelectors") or []
    labels = mesh.namespace_labels
    if not selectors or labels is None or any(_selects(selector, labels) for selector in selectors):
        return
    wanted = (selectors[0].get("matchLabels") or {"LABEL": "VALUE"}).items()
    label = " ".join(word(f"{name}={value}") for name, value in wanted)
    what = "has no label of Istio's discoverySelectors: istiod reads no Gateway and no route in it"
    fix = f"kubectl label namespace {word(mesh.namespace)} {label}"
    yield Problem(f"namespace {mesh.namespace}", what, (fix,))


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Tell whether a selector of Kubernetes selects these labels."""
    expressions: Mapping[str, Callable[[str, Sequence[str]], bool]] = {
        "In": lambda key, values: labels.get(key) in values,
        "NotIn": lambda key, values: labels.get(key) not in values,
        "Exists": lambda key, _: key in labels,
        "DoesNotExist": lambda key, _: key not in labels,
    }
    return (selector.get("matchLabels") or {}).items() <= labels.items() and all(
        expressions[one["operator"]](one["key"], one.get("values") or ())
        for one in selector.get("matchExpressions") or ()
    )


def closed(mesh: Mesh) -> Iterator[Problem]:
    """Yield the AuthorizationPolicies by which a CA certainly gets 403 in place of its proof.

    What depends on more than the request's source, port, method and path is taken for open.
    """
    policies = [policy for policy in mesh.policies if _is_for(mesh, policy)]
    allowing = [policy for policy in policies if _action(policy) == "ALLOW"]
    if allowing and _any(_rule(rule) for policy in allowing for rule in _rules(policy)) is False:
        yield _refusal(mesh, allowing[0], _exemption(allowing[0]))
    for policy in policies:
        refusing = [index for index, rule in enumerate(_rules(policy)) if _rule(rule)]
        if _action(policy) == "DENY" and refusing:
            yield _refusal(mesh, policy, list(_exceptions(policy, refusing)))


def _is_for(mesh: Mesh, policy: Object) -> bool:
    spec = policy.get("spec") or {}
    selected = (spec.get("selector") or {}).get("matchLabels") or {}
    return not (spec.get("targetRef") or spec.get("targetRefs")) and selected.items() <= mesh.labels.items()


def _action(policy: Object) -> str:
    return str((policy.get("spec") or {}).get("action") or "ALLOW")


def _rules(policy: Object) -> Sequence[Object]:
    return (policy.get("spec") or {}).get("rules") or []


def _refusal(mesh: Mesh, policy: Object, patch: Sequence[Object]) -> Problem:
    namespace, name = policy["metadata"]["namespace"], policy["metadata"]["name"]
    text = word(json.dumps(patch, separators=(",", ":")))
    fix = (
        f"kubectl --namespace {word(namespace)} patch authorizationpolicy {word(name)} --type json --patch {text}",
        set_input(mesh.commands, "challenge", "dns01", "in place of the above"),
    )
    what = f"refuses {PATH} to a CA on the internet, which would get 403: HTTP-01 would fail"
    return Problem(f"AuthorizationPolicy {namespace}/{name}", what, fix)


def _exemption(policy: Object) -> list[Object]:
    """Return the patch that adds a rule for the path to a policy that allows."""
    rule = {"to": [{"operation": {"paths": [f"{PATH}*"]}}]}
    if _rules(policy):
        return [{"op": "add", "path": "/spec/rules/-", "value": rule}]
    return [{"op": "add", "path": "/spec/rules", "value": [rule]}]


def _exceptions(policy: Object, refusing: Iterable[int]) -> Iterator[Object]:
    """Yield the patch that takes the path out of rules that refuse it."""
    for index in refusing:
        operations = _rules(policy)[index].get("to")
        if not operations:
            value: Any = [{"operation": {"notPaths": [f"{PATH}*"]}}]
            yield {"op": "add", "path": f"/spec/rules/{index}/to", "value": value}
        for number, entry in enumerate(operations or ()):
            value = [*(entry["operation"].get("notPaths") or ()), f"{PATH}*"]
            yield {"op": "add", "path": f"/spec/rules/{index}/to/{number}/operation/notPaths", "value": value}


def _rule(rule: Object) -> bool | None:
    """Tell whether a rule is for the request of a CA; None if that depends on what is not known."""
    return _all(
        (
            _any(_source(entry.get("source") or {}) for entry in rule["from"]) if rule.get("from") else True,
            _any(_operation(entry.get("operation") or {}) for entry in rule["to"]) if rule.get("to") else True,
            None if rule.get("when") else True,
        )
    )


def _source(source: Object) -> bool:
    if any(source.get(key) for key in _IDENTITIES):
        return False
    blocks = (source[key] for key in ("ipBlocks", "remoteIpBlocks") if source.get(key))
    excluded = (source[key] for key in ("notIpBlocks", "notRemoteIpBlocks") if source.get(key))
    return all(map(_is_everywhere, blocks)) and not any(map(_is_everywhere, excluded))


def _is_everywhere(blocks: Iterable[str]) -> bool:
    return any(ip_network(block, strict=False).prefixlen == 0 for block in blocks)


def _operation(operation: Object) -> bool | None:
    tests: Mapping[str, Callable[[str], bool | None]] = {
        "hosts": lambda _: None,
        "ports": lambda port: port in _PORTS,
        "methods": lambda method: method in ("GET", "*"),
        "paths": _is_path,
    }
    parts: list[bool | None] = []
    for key, test in tests.items():
        if operation.get(key):
            parts.append(_any(map(test, operation[key])))
        if excluded := operation.get(f"not{key.capitalize()}"):
            matched = _any(map(test, excluded))
            parts.append(None if matched is None else not matched)
    return _all(parts)


def _is_path(pattern: str) -> bool | None:
    if "{" in pattern:
        return None
    if pattern.endswith("*"):
        return _TOKEN.startswith(pattern[:-1])
    return _TOKEN.endswith(pattern[1:]) if pattern.startswith("*") else False


def _any(parts: Iterable[bool | None]) -> bool | None:
    known = list(parts)
    return True if True in known else None if None in known else False


def _all(parts: Iterable[bool | None]) -> bool | None:
    known = list(parts)
    return False if False in known else None if None in known else True
