"""Hosts that only some namespaces may name: a ValidatingAdmissionPolicy, whose CEL the API server evaluates itself.

An object names a host as `HOST`, `NAMESPACE/HOST` or `HOST.`, in any case; by a name below a reserved wildcard; or by a
wildcard above a reserved host. `*` names none: Istio prefers the Gateway that has the host.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..kube import solver_route
from . import names

API_VERSION = "admissionregistration.k8s.io/v1"
"""Kubernetes 1.30 and later."""

_ISTIO = "networking.istio.io"
_GATEWAY_API = ("gateway.networking.k8s.io", "gateway.networking.x-k8s.io")

_HOSTS: Sequence[tuple[Sequence[str], Mapping[str, Sequence[str]]]] = (
    (
        [_ISTIO],
        {"gateways": ["servers[].hosts[]"], "virtualservices": ["hosts[]", "tls[].match[].sniHosts[]"]},
    ),
    (["networking.k8s.io"], {"ingresses": ["rules[].host", "tls[].hosts[]"]}),
    (
        _GATEWAY_API,
        {
            "gateways": ["listeners[].hostname"],
            "listenersets": ["listeners[].hostname"],
            "xlistenersets": ["listeners[].hostname"],
            "httproutes": ["hostnames[]"],
            "grpcroutes": ["hostnames[]"],
            "tlsroutes": ["hostnames[]"],
        },
    ),
    # cert-manager makes an Order for a certificate of an ACME server, in the namespace that requests it.
    (["acme.cert-manager.io"], {"orders": ["dnsNames[]", "commonName"]}),
)
"""Where each kind names hosts in its spec, by API groups and plurals. A kind that the cluster lacks matches nothing."""

_SECRETS = {"gateways": ["servers[].tls.credentialName", "servers[].tls.credentialNames[]"]}
_INGRESS_SECRETS = {"ingresses": ["tls[].secretName"]}

_NAMED = 3
"""Hosts that a refusal lists; there may be a thousand."""


def policy_spec(
    hosts: Sequence[str], namespaces: Sequence[str], secrets: Sequence[str], selectors: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """Return the policy.

    Args:
        hosts: The reserved hosts; `*.` may lead one.
        namespaces: The namespaces that may name them.
        secrets: The Secrets that no Gateway of another namespace may present at the Pods.
        selectors: For each gateway, labels of its Pods.
    """
    domains = [host.removeprefix("*") for host in hosts if names.is_wildcard(host)]
    listed = ", ".join(hosts[:_NAMED]) + (f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else "")
    whose = f"reserved for {', '.join(namespaces)}"
    host_message = f"it names a host that is {whose}, or a wildcard with one: {listed}"
    secret_message = f"it presents a Secret of a gateway, which is {whose}: {', '.join(secrets)}"
    rules = [
        *((groups, paths, _is_free, "", host_message) for groups, paths in _HOSTS),
        ([_ISTIO], _SECRETS, _is_no_secret, "variables.isForPods", secret_message),
        (["networking.k8s.io"], _INGRESS_SECRETS, _is_no_secret, "variables.isIstios", secret_message),
    ]
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {
                "matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": list(namespaces)}
                ]
            },
            "resourceRules": [
                {
                    "apiGroups": list(groups),
                    "apiVersions": ["*"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": list(paths),
                }
                for groups, paths in _HOSTS
            ],
        },
        # An object that is being deleted is updated when its finalizers go.
        "matchConditions": [{"name": "stays", "expression": "!has(object.metadata.deletionTimestamp)"}],
        "variables": [
            {"name": name, "expression": expression}
            for name, expression in {
                # Without their types, which differ from kind to kind.
                "spec": "dyn(object.spec)",
                "annotations": "has(object.metadata.annotations) ? object.metadata.annotations : {}",
                # A look-up, since the API server bounds the steps of an evaluation.
                "names": json.dumps(dict.fromkeys([*hosts, *_wildcards_above(hosts)], True)),
                "domains": json.dumps(domains),
                "secrets": json.dumps(list(secrets)),
                "selectors": json.dumps([dict(selector) for selector in selectors]),
                "isForPods": _IS_FOR_PODS,
                "isIstios": _IS_ISTIOS,
            }.items()
        ],
        "validations": [
            {"expression": _validation(groups, plural, paths, is_allowed, condition), "message": message}
            for groups, kinds, is_allowed, condition, message in rules
            for plural, paths in kinds.items()
        ],
    }


def binding_spec(policy: Any) -> dict[str, Any]:
    """Return what puts the policy into effect."""
    return {"policyName": policy, "validationActions": ["Deny"]}


_IS_FOR_PODS = """
'internal.istio.io/gateway-service' in variables.annotations
|| !has(variables.spec.selector)
|| variables.selectors.exists(pod, variables.spec.selector.all(label,
  !(label in pod) || pod[label] == variables.spec.selector[label]))
""".strip()
"""Whether a Gateway may be for the Pods: it contradicts none of the known labels."""

_IS_ISTIOS = f"""
'kubernetes.io/ingress.class' in variables.annotations
? variables.annotations['kubernetes.io/ingress.class'] == '{solver_route.CLASS}'
: !has(variables.spec.ingressClassName) || variables.spec.ingressClassName == '{solver_route.CLASS}'
""".strip()


def _wildcards_above(hosts: Sequence[str]) -> list[str]:
    """Return the wildcards that include a host, without `*`."""
    labels = [names.without_wildcard(host).split(".") for host in hosts]
    return sorted({names.WILDCARD + ".".join(parts[count:]) for parts in labels for count in range(1, len(parts))})


def _validation(
    groups: Sequence[str], plural: str, paths: Sequence[str], is_allowed: Callable[[str], str], condition: str
) -> str:
    """Return an expression that is true where a kind has nothing at its paths that is not allowed."""
    others = f"!(request.resource.group in {json.dumps(list(groups))} && request.resource.resource == '{plural}')"
    every = " && ".join(_every("variables.spec", path.split("."), is_allowed) for path in paths)
    return " || ".join(filter(None, [others, condition and f"!({condition})", f"({every})"]))


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
    # Without a namespace before it, and without a dot at its end. Istio also knows `*op.acme.dev`.
    plain = f"{listed}.lowerAscii().find('[^/]+$').find('^.*[^.]')"
    return (
        f"[{plain}].all(name, !((name.startsWith('*') ? '*' + name.find('[.].*') : name) in variables.names)"
        " && !variables.domains.exists(domain, name.endsWith(domain)))"
    )


def _is_no_secret(reference: str) -> str:
    """Return an expression that is true where a reference, also as `kubernetes://NAME`, is to no reserved Secret."""
    return f"!({reference}.find('[^/]+$') in variables.secrets)"
