"""Objects that lack anything, or have something else in its place: nothing fails, and nothing wrong is written."""

import re
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from components.problem import ProblemsError
from tests.unit.tlsctl.adopt.objects import ISTIO, SHOP, in_gateway_api, inventory
from tests.unit.tlsctl.adopt.test_decisions import accepted
from tlsctl.adopt.decisions import Decision, decide

_TEXTS = ["", "*", SHOP, "/", "x", "a/b", ISTIO, "shop"]
_KEYS = [
    "hosts", "gateways", "http", "servers", "tls", "port", "number", "match", "uri", "prefix", "route", "destination",
    "host", "selector", "dnsNames", "secretName", "issuerRef", "name", "acme", "solvers", "http01", "ingress",
    "headers", "response", "set", "volumes", "containers", "spec", "metadata", "labels",
    "annotations", "rules", "paths", "path", "pathType", "backend", "service", "hosts", "defaultBackend", "kind",
    "ownerReferences", "solvers", "ingressClassName",
    "listeners", "hostname", "hostnames", "parentRefs", "backendRefs", "matches", "filters", "addresses", "value",
    "gatewayClassName", "certificateRefs", "allowedRoutes", "namespaces", "from", "options", "requestRedirect",
]  # fmt: skip
_KINDS = [
    "issuers", "certificates", "gateways", "virtual_services", "ingresses", "services", "deployments", "record_sets",
    "api_gateways", "http_routes", "grants",
]  # fmt: skip

values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 70000) | st.sampled_from(_TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(st.sampled_from(["metadata", "spec", "kind", "name", "type", "ttl"]), values)


@given(st.dictionaries(st.sampled_from(_KINDS), st.lists(objects, max_size=3)), st.booleans())
def test_odd_objects_are_passed_over(odd: dict[str, Any], api: bool) -> None:
    whole = in_gateway_api() if api else inventory()
    changed: Any = {kind: [*getattr(whole, kind), *more] for kind, more in odd.items()}
    cluster = replace(whole, **changed)
    decision = decide(cluster, "prod")
    assert problems_of(decision) <= {"hosts", "acme"}, (
        "nothing is written that the program refuses, beside what is missing"
    )


def problems_of(decision: Decision) -> set[str]:
    """The sections of the config that the program refuses."""
    try:
        accepted(decision)
    except ProblemsError as error:
        return {re.split(r"[.\[]", problem.where)[0] for problem in error.problems}
    return set()
