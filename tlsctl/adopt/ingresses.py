"""What Ingresses serve by TLS, as a stack's config has it, or why it cannot have it."""

import re
from collections.abc import Iterator, Sequence

from components.problem import Problem
from components.specs import names
from tlsctl.adopt.objects import Object, at, key, mapping, mappings, oldest_first, qualified, text, texts
from tlsctl.adopt.routes import Route, Routes, reached, to_service

_CONTROLLERS = ("nginx.ingress.kubernetes.io/", "nginx.org/", "nginx.com/")
"""What annotations begin with that tell nginx what to do with requests."""

_AS_THE_STACK = {"ssl-redirect": "true", "backend-protocol": "HTTP"}
"""Annotations, by their value, that have nginx do what the stack does."""

_BODY_SIZE = "proxy-body-size"
_OF_NGINX_ALONE = {
    "client-body-buffer-size", "enable-access-log", "force-ssl-redirect", "proxy-buffer-size", "proxy-buffering",
    "proxy-buffers-number", "proxy-busy-buffers-size", "proxy-connect-timeout", "proxy-max-temp-file-size",
    "proxy-read-timeout", "proxy-request-buffering", "proxy-send-timeout", "service-upstream", _BODY_SIZE,
}  # fmt: skip
"""Annotations about nginx's buffers, limits and timeouts, which a stack's routes do not have."""

_SOLVER = "cm-acme-http-solver-"
"""What the names of cert-manager's solvers begin with."""


def is_solver(obj: Object) -> bool:
    """Tell the Ingress of a challenge, which is gone in a minute."""
    return "acme.cert-manager.io/http01-solver" in mapping(obj, "metadata", "labels")


def class_of(obj: Object) -> str:
    """Return an Ingress's class, or an empty string where it is the cluster's default."""
    return text(obj, "spec", "ingressClassName") or text(obj, "metadata", "annotations", "kubernetes.io/ingress.class")


def secrets(obj: Object) -> set[str]:
    """Return the Secrets that an Ingress presents."""
    return {text(each, "secretName") for each in mappings(obj, "spec", "tls")} - {""}


def hosts(obj: Object) -> list[str]:
    """Return every host of an Ingress, with TLS or without; an empty name stands for requests of any host."""
    ruled = [text(each, "host").lower() for each in mappings(obj, "spec", "rules")]
    default = [""] if mapping(obj, "spec", "defaultBackend") else []
    return list(dict.fromkeys([*ruled, *tls_hosts(obj), *default]))


def tls_hosts(obj: Object) -> list[str]:
    """Return the hosts of an Ingress that are served by TLS; a wildcard stands for those rules that it covers."""
    ruled = [host for each in mappings(obj, "spec", "rules") if (host := text(each, "host").lower())]
    found: list[str] = []
    for each in mappings(obj, "spec", "tls"):
        for name in map(str.lower, texts(each, "hosts")):
            found += [host for host in ruled if names.covers(name, host)] or [name]
    return list(dict.fromkeys(found))


def by_host(ingresses: Sequence[Object]) -> dict[str, list[Object]]:
    """Return the Ingresses of each host that one of them serves by TLS: their paths are one server's."""
    lasting = [each for each in oldest_first(ingresses) if not is_solver(each)]
    secure = dict.fromkeys(host for each in lasting for host in tls_hosts(each))
    return {host: [each for each in lasting if host in hosts(each)] for host in secure}


def routes(host: str, ingresses: Sequence[Object], services: Sequence[Object]) -> Routes:
    """Return the routes of a host.

    Args:
        host: its name.
        ingresses: those that have it, the oldest first, which wins where two have the same path.
        services: where a port may be named.
    """
    if len(classes := sorted({class_of(each) or "(default)" for each in ingresses})) > 1:
        return Routes(reason=f"has Ingresses of the classes {', '.join(classes)}, and one gateway would serve them all")
    found: list[Route] = []
    for obj in ingresses:
        where = f"Ingress {qualified(key(obj))}"
        if odd := sorted(_odd(obj)):
            return Routes(reason=f"{where} has the annotation {', '.join(odd)}, which the config does not know")
        try:
            found += _routes(obj, host, services)
        except ValueError as error:
            return Routes(reason=f"{where} {error}, which the config does not know")
    # The longest path takes a request, whatever the order.
    found = reached(sorted(found, key=lambda each: -len(each["path"])))
    return Routes(found) if found else Routes(reason=f"Ingress {qualified(key(ingresses[0]))} has no route for it")


def _annotations(obj: Object) -> dict[str, str]:
    """Return the annotations for nginx: their whole names by what follows the slash."""
    found = map(str, mapping(obj, "metadata", "annotations"))
    return {name.rpartition("/")[2]: name for name in found if name.startswith(_CONTROLLERS)}


def _odd(obj: Object) -> Iterator[str]:
    for short, name in _annotations(obj).items():
        value = str(at(obj, "metadata", "annotations", name))
        if short not in _OF_NGINX_ALONE and _AS_THE_STACK.get(short, "").lower() != value.lower():
            yield name


def _routes(obj: Object, host: str, services: Sequence[Object]) -> Iterator[Route]:
    for rule in mappings(obj, "spec", "rules"):
        for path in mappings(rule, "http", "paths") if text(rule, "host").lower() == host else ():
            service = text(path, "backend", "service", "name")
            if service.startswith(_SOLVER):
                continue  # Of a challenge in this minute, which cert-manager adds to the Ingress itself where told to.
            prefix = text(path, "path") or "/"
            if text(path, "pathType") == "Exact":
                raise ValueError(f"has the exact path {prefix}")
            if not re.fullmatch(r"/\S*", prefix):
                raise ValueError(f"has the path {prefix}")
            if text(path, "pathType") == "Prefix":
                prefix = prefix.rstrip("/") or "/"  # Kubernetes compares whole elements, without the last slash.
            port = at(path, "backend", "service", "port", "number")
            port = at(path, "backend", "service", "port", "name") if port is None else port
            yield {"path": prefix, **to_service(service, key(obj)[0], port, services)}


def changes(host: str, ingresses: Sequence[Object]) -> Iterator[Problem]:
    """Yield what is otherwise at the gateway for a host whose routes it takes over."""
    for obj in ingresses:
        limits = sorted(_annotations(obj).keys() & {_BODY_SIZE})
        if limits:
            what = f"has the limit {', '.join(limits)} for {host}, which the gateway does not have: any body is let in"
            yield Problem(f"Ingress {qualified(key(obj))}", what)
        whole = [
            prefix
            for rule in mappings(obj, "spec", "rules")
            if text(rule, "host").lower() == host
            for path in mappings(rule, "http", "paths")
            if text(path, "pathType") == "Prefix" and (prefix := text(path, "path").rstrip("/"))
        ]
        for prefix in whole:
            what = (
                f"has {prefix} as a path of whole elements for {host}; at the gateway {prefix}... takes more requests"
            )
            yield Problem(f"Ingress {qualified(key(obj))}", what)
