"""Hosts that only some namespaces may name: a ValidatingAdmissionPolicy, whose CEL the API server evaluates itself.

An object names a host as `HOST`, `NAMESPACE/HOST` or `HOST.`, in any case; by a name below a reserved wildcard; or by a
wildcard above a reserved host. `*` names none: Istio prefers the Gateway that has the host.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import cert_manager, gateway_api, istio, names, solver_route

API_VERSION = "admissionregistration.k8s.io/v1"
"""Kubernetes 1.30 and later."""

_FOR_THE_PODS = f"""
'{istio.GATEWAY_SERVICE}' in variables.annotations
|| !has(variables.spec.selector)
|| variables.selectors.exists(pod, variables.spec.selector.all(label,
  !(label in pod) || pod[label] == variables.spec.selector[label]))
""".strip()
"""Whether a Gateway may be for the Pods: it contradicts none of the known labels."""

_OF_ISTIO = f"""
'kubernetes.io/ingress.class' in variables.annotations
? variables.annotations['kubernetes.io/ingress.class'] == '{solver_route.CLASS}'
: !has(variables.spec.ingressClassName) || variables.spec.ingressClassName == '{solver_route.CLASS}'
""".strip()
"""Whether an Ingress may be of Istio's class."""


@dataclass(frozen=True)
class _Kind:
    """A kind of object that names hosts."""

    group: str
    plural: str
    hosts: Sequence[str]
    """The paths of its hosts in its spec."""
    secrets: Sequence[str] = ()
    """The paths of the Secrets that it presents."""
    at_the_gateway: str = "true"
    """Under which condition the gateway presents them."""
    routes: bool = False
    """Whether its objects route the hosts, as the owner of a host may do."""

    def validation(self, paths: Sequence[str], is_allowed: Callable[[str], str], condition: str = "true") -> str:
        """Return an expression that is true unless the kind has a value at its paths that is not allowed."""
        every = " && ".join(_every("variables.spec", path.split("."), is_allowed) for path in paths)
        kind = f"request.resource.group == '{self.group}' && request.resource.resource == '{self.plural}'"
        return f"!({kind}) || !({condition}) || ({every})"


_KINDS = (
    _Kind(
        *(istio.GROUP, "gateways", ["servers[].hosts[]"]),
        secrets=["servers[].tls.credentialName", "servers[].tls.credentialNames[]"],
        at_the_gateway=_FOR_THE_PODS,
    ),
    _Kind(istio.GROUP, "virtualservices", ["hosts[]", "tls[].match[].sniHosts[]"], routes=True),
    _Kind(
        *("networking.k8s.io", "ingresses", ["rules[].host", "tls[].hosts[]"]),
        secrets=["tls[].secretName"],
        at_the_gateway=_OF_ISTIO,
    ),
    _Kind(gateway_api.GROUP, "gateways", ["listeners[].hostname"]),
    _Kind(gateway_api.GROUP, "listenersets", ["listeners[].hostname"]),
    _Kind("gateway.networking.x-k8s.io", "xlistenersets", ["listeners[].hostname"]),
    _Kind(gateway_api.GROUP, "httproutes", ["hostnames[]"], routes=True),
    _Kind(gateway_api.GROUP, "grpcroutes", ["hostnames[]"], routes=True),
    _Kind(gateway_api.GROUP, "tlsroutes", ["hostnames[]"]),
    # cert-manager makes an Order for a certificate of an ACME server, in the namespace that requests it.
    _Kind(cert_manager.ACME_GROUP, "orders", ["dnsNames[]", "commonName"]),
)
"""A kind that the cluster does not have matches nothing."""

_NAMED = 3
"""Hosts that a refusal lists; there may be a thousand."""


def policy_spec(
    hosts: Sequence[str],
    namespaces: Sequence[str],
    secrets: Sequence[str],
    selectors: Sequence[Mapping[str, str]],
    owners: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the policy.

    Args:
        hosts: The reserved hosts; `*.` may lead one.
        namespaces: The namespaces that may name them.
        secrets: The Secrets that no Gateway of another namespace may present at the Pods.
        selectors: For each gateway, labels of its Pods.
        owners: Hosts that another namespace may route, each with that namespace.
    """
    elsewhere = {"key": gateway_api.NAMESPACE_NAME, "operator": "NotIn", "values": list(namespaces)}
    variables = {
        # Without their types, which differ from kind to kind.
        "spec": "dyn(object.spec)",
        "annotations": "has(object.metadata.annotations) ? object.metadata.annotations : {}",
        # A look-up, since the API server bounds the steps of an evaluation.
        "names": json.dumps(dict.fromkeys([*hosts, *_wildcards_above(hosts)], True)),
        "domains": json.dumps([host.removeprefix("*") for host in hosts if names.is_wildcard(host)]),
        "secrets": json.dumps(list(secrets)),
        "selectors": json.dumps([dict(selector) for selector in selectors]),
        **({"owners": json.dumps(owners)} if owners else {}),
    }
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchExpressions": [elsewhere]},
            "resourceRules": [
                {
                    "apiGroups": [kind.group],
                    "apiVersions": ["*"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": [kind.plural],
                }
                for kind in _KINDS
            ],
        },
        # An object that is being deleted is updated when its finalizers go.
        "matchConditions": [{"name": "stays", "expression": "!has(object.metadata.deletionTimestamp)"}],
        "variables": [{"name": name, "expression": expression} for name, expression in variables.items()],
        "validations": list(_validations(hosts, namespaces, secrets, has_owners=bool(owners))),
    }


def _validations(
    hosts: Sequence[str], namespaces: Sequence[str], secrets: Sequence[str], *, has_owners: bool
) -> Iterator[dict[str, str]]:
    whose = f"reserved for {', '.join(namespaces)}"
    listed = ", ".join(hosts[:_NAMED]) + (f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else "")
    for kind in _KINDS:
        message = f"it names a host that is {whose}, or a wildcard with one: {listed}"
        is_allowed = _is_free_or_owned if kind.routes and has_owners else _is_free
        yield {"expression": kind.validation(kind.hosts, is_allowed), "message": message}
        if kind.secrets:
            message = f"it presents a Secret of a gateway, which is {whose}: {', '.join(secrets)}"
            yield {
                "expression": kind.validation(kind.secrets, _is_no_secret, kind.at_the_gateway),
                "message": message,
            }


def binding_spec(policy: Any) -> dict[str, Any]:
    """Return what puts the policy into effect."""
    return {"policyName": policy, "validationActions": ["Deny"]}


def _wildcards_above(hosts: Sequence[str]) -> list[str]:
    """Return the wildcards that include a host, without `*`."""
    labels = [names.without_wildcard(host).split(".") for host in hosts]
    return sorted({names.WILDCARD + ".".join(parts[count:]) for parts in labels for count in range(1, len(parts))})


def _every(parent: str, path: Sequence[str], is_allowed: Callable[[str], str]) -> str:
    """Return an expression that is true where every value at a path is allowed; a field that is not set has none."""
    field, *rest = path
    value = f"{parent}.{field.removesuffix('[]')}"
    if not field.endswith("[]"):
        inner = _every(value, rest, is_allowed) if rest else is_allowed(value)
        return f"(!has({value}) || {inner})"
    item = f"of_{field.removesuffix('[]')}"
    inner = _every(item, rest, is_allowed) if rest else is_allowed(item)
    return f"(!has({value}) || {value}.all({item}, {inner}))"


def _is_free(listed: str) -> str:
    """Return an expression that is true where a name is not reserved."""
    # Istio also knows `*op.acme.dev`.
    return (
        f"[{_plain(listed)}].all(name, !((name.startsWith('*') ? '*' + name.find('[.].*') : name) in variables.names)"
        " && !variables.domains.exists(domain, name.endsWith(domain)))"
    )


def _is_free_or_owned(listed: str) -> str:
    """Return an expression that is true where a name is not reserved, or is that of a host of the object's namespace.

    Below a wildcard with an owner, all hosts have the same one.
    """
    owned = (
        f"[{_plain(listed)}].all(name, [name, '*' + name.find('[.].*')].exists(host, host in variables.owners"
        " && variables.owners[host] == request.namespace))"
    )
    return f"({_is_free(listed)} || {owned})"


def _plain(listed: str) -> str:
    """Return an expression for a name without a namespace before it, and without a dot at its end."""
    return f"{listed}.lowerAscii().find('[^/]+$').find('^.*[^.]')"


def _is_no_secret(reference: str) -> str:
    """Return an expression that is true where a reference, also as `kubernetes://NAME`, is to no reserved Secret."""
    return f"!({reference}.find('[^/]+$') in variables.secrets)"
