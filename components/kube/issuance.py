"""Why an issuer or a certificate is not Ready: what cert-manager's objects say, from the Certificate to its Challenges.

https://cert-manager.io/docs/troubleshooting/acme/
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from ..problem import COMMANDS, Problem, set_input
from ..shell import word
from ..specs import acme, apis, caa, cert_manager, gateway_api, names
from .client import Client, ClusterError, Object
from .conditions import condition_of, route_refusal

UNANSWERED = Problem("Order", "the ACME server has not taken it; why stands in the log of cert-manager's controller")
"""cert-manager retries after a refused connection or a 5xx, and writes neither into an object."""

_PLURALS = {"Certificate": "certificates", "ClusterIssuer": "clusterissuers", "Issuer": "issuers"}
_HEALTHY = {"", "valid", "pending", "ready"}
_PENDING = "pending"

_LOST = re.compile(
    r"accountDoesNotExist|account does not exist|account[^:;]*deactivated|deactivated[^:;]*account"
    r"|has status \"(deactivated|revoked)\"|Key ID[^:;]* in JWS header",
    re.IGNORECASE,
)
"""RFC 8555, section 7.3.6, and the words of Boulder, Pebble and Go's client. A client that does not find the account
orders without its ID all the same, so that the CA complains of the header (cert-manager#2561)."""


def problems_of(client: Client, kind: str, namespace: str | None, name: str) -> list[Problem] | None:
    """Read why a Certificate, an Issuer or a ClusterIssuer, which has no namespace, is not Ready.

    Returns:
        The deepest problem last; empty while cert-manager says nothing; None when the object is Ready or missing.

    Raises:
        ClusterError: the objects cannot be read.
    """
    target = client.get(cert_manager.API, _PLURALS[kind], name, namespace)
    if target is None or condition_of(target, "Ready").get("status") == "True":
        return None
    if namespace is None or kind != "Certificate":
        return list(condition_problems(kind, target))

    challenges, routes = client.items(cert_manager.ACME_API, "challenges", namespace), []
    if use_routes(challenges):
        # Without the right to read them, the rest is explained all the same.
        with suppress(ClusterError):
            routes = client.items(gateway_api.VERSION, "httproutes", namespace)
    return chain_of_problems(
        name,
        [target],
        client.items(cert_manager.API, "certificaterequests", namespace),
        client.items(cert_manager.ACME_API, "orders", namespace),
        challenges,
        routes,
        server=_server(client, target),
    )


def use_routes(challenges: Sequence[Object]) -> bool:
    """Tell whether a Challenge is answered by an HTTPRoute."""
    solvers = (challenge.get("spec", {}).get("solver", {}) for challenge in challenges)
    return any("gatewayHTTPRoute" in (solver.get("http01") or {}) for solver in solvers)


def _server(client: Client, certificate: Object) -> str:
    """Return the ACME server of a Certificate's issuer; empty where it is not known, or may not be read."""
    issuer = certificate.get("spec", {}).get("issuerRef", {})
    kind = issuer.get("kind", acme.ISSUER)
    namespace = certificate["metadata"]["namespace"] if kind == acme.ISSUER else None
    if kind not in acme.ISSUER_KINDS:
        return ""
    try:
        target = client.get(cert_manager.API, _PLURALS[kind], issuer.get("name", ""), namespace)
    except ClusterError:
        return ""
    return str((target or {}).get("spec", {}).get("acme", {}).get("server") or "")


def silence(kind: str, namespace: str | None, name: str) -> Problem:
    """Return the problem of an object that cert-manager does not explain."""
    option = f"--namespace {word(namespace)} " if namespace else ""
    fix = (
        f"kubectl {option}describe {word(kind.lower())} {word(name)}",
        "kubectl --namespace cert-manager logs deployment/cert-manager",
    )
    return Problem(name, "cert-manager has not said anything about it yet", fix)


def chain_of_problems(
    name: str,
    certificates: Sequence[Object],
    requests: Sequence[Object],
    orders: Sequence[Object],
    challenges: Sequence[Object],
    routes: Sequence[Object] = (),
    *,
    server: str = "",
) -> list[Problem]:
    """Follow a Certificate's owner references down to its Challenges, and return the problems, the deepest last.

    The objects are those of its namespace; `routes` are its HTTPRoutes, some of which answer Challenges. Of the
    Certificate's requests, only the newest counts. `server` is the ACME directory of its issuer, if it is known.
    """
    problems: list[Problem] = []
    for certificate in certificates:
        if certificate["metadata"]["name"] == name:
            problems += condition_problems("Certificate", certificate)
    for request in _newest(_owned(requests, "Certificate", name)):
        problems += condition_problems("CertificateRequest", request)
        for order in _owned(orders, "CertificateRequest", request["metadata"]["name"]):
            problems += _state("Order", order, server) if order.get("status", {}).get("state") else [UNANSWERED]
            problems += _unknown_account(order)
            own_challenges = _owned(challenges, "Order", order["metadata"]["name"])
            problems += _unsolved(order, own_challenges)
            for challenge in own_challenges:
                problems += _state(f"Challenge for {challenge.get('spec', {}).get('dnsName')}", challenge)
                problems += _unrouted(_owned(routes, "Challenge", challenge["metadata"]["name"]))
            problems += _stuck(request, order, own_challenges)
    return problems


def _unknown_account(order: Object) -> Iterator[Problem]:
    if not account_is_lost(str(order.get("status", {}).get("reason") or "")):
        return
    issuer = order.get("spec", {}).get("issuerRef", {})
    kind, name = issuer.get("kind", acme.ISSUER), issuer.get("name", "")
    # The command is for cert-manager's usual namespace; `verify` knows the actual one.
    namespace = order["metadata"].get("namespace") if kind == acme.ISSUER else "cert-manager"
    secret = acme.account_key_secret(name)
    fix = f"kubectl --namespace {word(namespace)} delete secret {word(secret)}    # it registers again"
    yield Problem(f"{kind} {name}", "has an account that the ACME server does not know", (fix,))


def _stuck(request: Object, order: Object, challenges: Sequence[Object]) -> Iterator[Problem]:
    """Yield the problem of an Order that waits for ever: its Challenge failed here, unknown to the ACME server."""
    errored = any(challenge.get("status", {}).get("state") == "errored" for challenge in challenges)
    if errored and order.get("status", {}).get("state") == _PENDING:
        metadata = request["metadata"]
        namespace, name = metadata.get("namespace"), metadata["name"]
        fix = f"kubectl --namespace {word(namespace)} delete certificaterequest {word(name)}"
        what = "waits for a Challenge that cert-manager does not retry; without its request, it orders again"
        yield Problem("Order", what, (fix,))


def _unrouted(routes: Sequence[Object]) -> Iterator[Problem]:
    """Yield the problems of HTTPRoutes that lead to a solver."""
    for route in routes:
        if wrong := route_refusal(route):
            namespace, name = route["metadata"].get("namespace"), route["metadata"]["name"]
            fix = f"kubectl --namespace {word(namespace)} describe {apis.ROUTES[apis.GATEWAY]} {word(name)}"
            yield Problem(f"HTTPRoute {name}", wrong, (fix,))


def _unsolved(order: Object, challenges: Sequence[Object]) -> Iterator[Problem]:
    """Yield the names that no solver of the issuer matches: cert-manager reports them in an event only, and waits."""
    status = order.get("status", {})
    if status.get("state") != _PENDING:
        return
    solved = {_identifier(challenge.get("spec", {}), "dnsName") for challenge in challenges}
    for authorization in status.get("authorizations", []):
        name = _identifier(authorization, "identifier")
        if authorization.get("initialState") == _PENDING and name not in solved:
            commands = COMMANDS.get("issuers", {})
            fix = set_input(commands, "solvers[0].dns_names[0]", name, "in the program that makes the issuer")
            yield Problem("Order", f"no solver of the issuer is for {name}", (fix,))


def _identifier(authorization: Object, field: str) -> str:
    return f"{names.WILDCARD if authorization.get('wildcard') else ''}{authorization.get(field)}"


def condition_problems(kind: str, target: Object) -> Iterator[Problem]:
    """Yield what the Ready condition of an object says while it is not True."""
    ready = condition_of(target, "Ready")
    if ready and ready.get("status") != "True":
        yield Problem(kind, str(ready.get("message") or ready.get("reason")))


def _owned(objects: Sequence[Object], kind: str, name: str) -> list[Object]:
    def is_owner(reference: Object) -> bool:
        return bool(reference.get("kind") == kind and reference.get("name") == name)

    return [item for item in objects if any(map(is_owner, item["metadata"].get("ownerReferences", [])))]


def _newest(objects: Sequence[Object]) -> list[Object]:
    return sorted(objects, key=lambda item: str(item["metadata"].get("creationTimestamp", "")))[-1:]


def account_is_lost(words: str) -> bool:
    """Tell whether an ACME server says that the account does not exist or was deactivated: a retry will not help."""
    return bool(_LOST.search(words))


def _state(kind: str, target: Object, server: str = "") -> Iterator[Problem]:
    status = target.get("status", {})
    reason = str(status.get("reason") or "")
    if reason or status.get("state", "") not in _HEALTHY:
        page = unpause_page(reason, server)
        fix = (f"xdg-open {word(page)}    # in a browser; it lifts the pause",) if page else ()
        yield Problem(kind, f"{status.get('state', 'waiting')}: {reason or 'no reason given'}", fix)


def unpause_page(words: str, server: str) -> str:
    """Return the page of a CA at which it resumes a name that has failed too often; empty where it names none.

    https://letsencrypt.org/docs/rate-limits/#consecutive-authorization-failures-per-hostname-per-account
    Only Boulder's own page at the CA's own domain counts: the answer on port 80 may be the origin of any other words.
    """
    domain = caa.LETS_ENCRYPT if server in acme.DIRECTORIES.values() else urlsplit(server).hostname
    if not domain:
        return ""
    page = rf"https://([A-Za-z0-9-]+\.)*{re.escape(domain)}/sfe/v[0-9]+/unpause\?jwt=[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*"
    match = re.search(page, words)
    return match[0] if match else ""
