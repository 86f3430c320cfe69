"""Why a certificate is not issued: what cert-manager's objects say, followed from the Certificate to its Challenges.

https://cert-manager.io/docs/troubleshooting/acme/
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..problem import COMMANDS, Problem, set_input
from ..shell import word
from ..specs import acme, names

Object = Mapping[str, Any]

UNANSWERED = Problem("Order", "the ACME server has not taken it; why stands in the log of cert-manager's controller")
"""cert-manager retries what is not an answer, a refused connection or a 5xx, and writes it into no object."""

_DONE = {"", "valid", "pending", "ready"}
_PENDING = "pending"
_ERRORED = "errored"


def chain_of_problems(
    name: str,
    certificates: Sequence[Object],
    requests: Sequence[Object],
    orders: Sequence[Object],
    challenges: Sequence[Object],
) -> list[Problem]:
    """Follow a Certificate's owner references down to its Challenges, newest request first.

    Args:
        name: the name of the Certificate.
        certificates: the Certificates of its namespace.
        requests: the CertificateRequests of the namespace.
        orders: the Orders of the namespace.
        challenges: the Challenges of the namespace.

    Returns:
        What is wrong, the deepest last.
    """
    found: list[Problem] = []
    for certificate in certificates:
        if certificate["metadata"]["name"] == name:
            found += condition_problems("Certificate", certificate)
    for request in _newest(_owned(requests, "Certificate", name)):
        found += condition_problems("CertificateRequest", request)
        for order in _owned(orders, "CertificateRequest", request["metadata"]["name"]):
            found += _state("Order", order) if order.get("status", {}).get("state") else [UNANSWERED]
            found += _unknown_account(order)
            owned = _owned(challenges, "Order", order["metadata"]["name"])
            found += _unsolved(order, owned)
            for challenge in owned:
                found += _state(f"Challenge for {challenge.get('spec', {}).get('dnsName')}", challenge)
            found += _stuck(request, order, owned)
    return found


def _unknown_account(order: Object) -> Iterator[Problem]:
    """Yield an account that the ACME server does not know: what it answers may name a header instead."""
    if not account_is_lost(str(order.get("status", {}).get("reason") or "")):
        return
    issuer = order.get("spec", {}).get("issuerRef", {})
    kind, name = issuer.get("kind", acme.ISSUER), issuer.get("name", "")
    # Where cert-manager's own namespace has another name, so has this command; `verify` knows it.
    namespace = order["metadata"].get("namespace") if kind == acme.ISSUER else "cert-manager"
    fix = f"kubectl --namespace {namespace} delete secret {acme.account_key_secret(name)}    # it registers anew"
    yield Problem(f"{kind} {name}", "has an account that the ACME server does not know", (fix,))


def _stuck(request: Object, order: Object, challenges: Sequence[Object]) -> Iterator[Problem]:
    """Yield an Order that waits for good: the ACME server knows nothing of a Challenge that has errored here."""
    errored = any(each.get("status", {}).get("state") == _ERRORED for each in challenges)
    if errored and order.get("status", {}).get("state") == _PENDING:
        metadata = request["metadata"]
        fix = f"kubectl --namespace {metadata.get('namespace')} delete certificaterequest {metadata['name']}"
        what = "waits for a Challenge that cert-manager does not try again; without its request, it orders anew"
        yield Problem("Order", what, (fix,))


def _unsolved(order: Object, challenges: Sequence[Object]) -> Iterator[Problem]:
    """Yield the names that no solver of the issuer is for: cert-manager says so in an event alone, and waits."""
    status = order.get("status", {})
    if status.get("state") != _PENDING:
        return
    solved = {_identifier(each.get("spec", {}), "dnsName") for each in challenges}
    for authorization in status.get("authorizations", []):
        name = _identifier(authorization, "identifier")
        if authorization.get("initialState") == _PENDING and name not in solved:
            fix = set_input(
                COMMANDS.get("issuers", {}), "solvers[0].dns_names[0]", name, "in the program that makes the issuer"
            )
            yield Problem("Order", f"no solver of the issuer is for {name}", (fix,))


def _identifier(found: Object, field: str) -> str:
    return f"{names.WILDCARD if found.get('wildcard') else ''}{found.get(field)}"


def condition_problems(kind: str, found: Object) -> Iterator[Problem]:
    """Yield what the Ready condition of an object says while it is not True."""
    for condition in found.get("status", {}).get("conditions", []):
        if condition.get("type") == "Ready" and condition.get("status") != "True":
            yield Problem(kind, str(condition.get("message") or condition.get("reason")))


def _owned(objects: Sequence[Object], kind: str, name: str) -> list[Object]:
    return [
        each
        for each in objects
        if any(
            owner.get("kind") == kind and owner.get("name") == name
            for owner in each["metadata"].get("ownerReferences", [])
        )
    ]


def _newest(objects: Sequence[Object]) -> list[Object]:
    return sorted(objects, key=lambda each: str(each["metadata"].get("creationTimestamp", "")))[-1:]


_LOST = re.compile(
    r"accountDoesNotExist|account does not exist|account[^:;]*deactivated|deactivated[^:;]*account"
    r"|has status \"(deactivated|revoked)\"|Key ID[^:;]* in JWS header",
    re.IGNORECASE,
)
"""RFC 8555, section 7.3.6, and the words of Boulder, Pebble and Go's client. A client that does not find the account
orders without its ID all the same, so that the CA complains of the header (cert-manager#2561)."""

_UNPAUSE = re.compile(r"https://\S+/unpause\S*[^\s.,;)\"']")


def account_is_lost(words: str) -> bool:
    """Tell whether an ACME server says that it has no such account, or has it no longer: a retry will not help."""
    return bool(_LOST.search(words))


def _state(kind: str, found: Object) -> Iterator[Problem]:
    status = found.get("status", {})
    reason = str(status.get("reason") or "")
    if reason or status.get("state", "") not in _DONE:
        # Let's Encrypt pauses a name that has failed too often, and lifts that at a page of its own alone.
        # https://letsencrypt.org/docs/rate-limits/#consecutive-authorization-failures-per-hostname-per-account
        page = _UNPAUSE.search(reason)
        fix = (f"xdg-open {word(page[0])}    # in a browser; it lifts the pause",) if page else ()
        yield Problem(kind, f"{status.get('state', 'waiting')}: {reason or 'no reason given'}", fix)
