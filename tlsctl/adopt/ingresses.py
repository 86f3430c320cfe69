"""What Ingresses serve by TLS, as the config of a stack has it, or the reason why it cannot."""

import re
from collections.abc import Iterable, Iterator, Sequence

from components.problem import Problem
from components.specs import cert_manager, headers, names, patterns, solver_route
from tlsctl.adopt.objects import Object, at, mapping, mappings, note, oldest_first, qualified, text, texts
from tlsctl.adopt.routes import Route, Routes, reachable, to_service

_NGINX = ("nginx.ingress.kubernetes.io/", "nginx.org/", "nginx.com/")

_AS_THE_STACK = {"ssl-redirect": "true", "backend-protocol": "HTTP"}
"""Annotations that have the same effect as a stack, by value."""

_BODY_SIZE = "proxy-body-size"
_NO_EFFECT_ON_ROUTES = {
    "client-body-buffer-size", "enable-access-log", "force-ssl-redirect", "proxy-buffer-size", "proxy-buffering",
    "proxy-buffers-number", "proxy-busy-buffers-size", "proxy-connect-timeout", "proxy-max-temp-file-size",
    "proxy-read-timeout", "proxy-request-buffering", "proxy-send-timeout", "service-upstream", _BODY_SIZE,
}  # fmt: skip
"""Annotations for nginx's buffers, limits and timeouts, which a stack's routes do not have."""


_USE_REGEX = "nginx.ingress.kubernetes.io/use-regex"
_TARGET = "nginx.ingress.kubernetes.io/rewrite-target"
"""Either makes every path of the host a regular expression, in any case, for the beginning of a path."""

_CANARY = "nginx.ingress.kubernetes.io/canary"
_CANARY_WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"
_CORS = "nginx.ingress.kubernetes.io/cors-"
_ENABLE_CORS = "nginx.ingress.kubernetes.io/enable-cors"
_CORS_DEFAULTS = {
    "allow-origin": "*",
    "allow-methods": "GET, PUT, POST, DELETE, PATCH, OPTIONS",
    "allow-headers": "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,"
    "Authorization",
    "expose-headers": "",
    "allow-credentials": "true",
    "max-age": "1728000",
}
"""https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#enable-cors"""

_MAX_AGE = 86400
"""Seconds: the most that a route has, and no browser keeps a permission for longer."""

_EXPRESSED = {
    *(_USE_REGEX, _TARGET, _CANARY, _CANARY_WEIGHT, _ENABLE_CORS),
    *(f"{_CORS}{name}" for name in _CORS_DEFAULTS),
}


def is_solver(ingress: Object) -> bool:
    """Tell whether an Ingress belongs to a challenge, which takes about a minute."""
    return cert_manager.SOLVER_LABEL in mapping(ingress, "metadata", "labels")


def secrets(ingress: Object) -> set[str]:
    """Return the Secrets that an Ingress presents."""
    return {text(entry, "secretName") for entry in mappings(ingress, "spec", "tls")} - {""}


def hosts(ingress: Object) -> list[str]:
    """Return every host of an Ingress, with TLS or without; an empty name stands for requests of any host."""
    ruled = [text(rule, "host").lower() for rule in mappings(ingress, "spec", "rules")]
    default = [""] if mapping(ingress, "spec", "defaultBackend") else []
    return list(dict.fromkeys([*ruled, *tls_hosts(ingress), *default]))


def tls_hosts(ingress: Object) -> list[str]:
    """Return the hosts of an Ingress that are served by TLS; a wildcard stands for the rules that it covers."""
    ruled = [host for rule in mappings(ingress, "spec", "rules") if (host := text(rule, "host").lower())]
    secure: list[str] = []
    for entry in mappings(ingress, "spec", "tls"):
        for name in map(str.lower, texts(entry, "hosts")):
            secure += [host for host in ruled if names.covers(name, host)] or [name]
    return list(dict.fromkeys(secure))


def by_host(ingresses: Sequence[Object]) -> dict[str, list[Object]]:
    """Return all Ingresses of each host that one of them serves by TLS: their paths are combined."""
    lasting = [ingress for ingress in oldest_first(ingresses) if not is_solver(ingress)]
    secure = dict.fromkeys(host for ingress in lasting for host in tls_hosts(ingress))
    return {host: [ingress for ingress in lasting if host in hosts(ingress)] for host in secure}


def routes_of(host: str, ingresses: Sequence[Object], services: Sequence[Object]) -> Routes:
    """Return the routes of a host of these Ingresses; the oldest comes first, and wins where two have the same path."""
    if len(classes := sorted({_class(ingress) or "(default)" for ingress in ingresses})) > 1:
        return Routes(reason=f"has Ingresses of the classes {', '.join(classes)}, and one gateway would serve them all")
    routes: list[Route] = []
    canaries: list[Route] = []
    by_regex = any(map(_makes_regex, ingresses))
    for ingress in ingresses:
        where = f"Ingress {qualified(ingress)}"
        if unsupported := sorted(_unsupported_annotations(ingress)):
            reason = f"{where} has the annotation {', '.join(unsupported)}, which the config cannot express"
            return Routes(reason=reason)
        try:
            cors = _cors(ingress)
            of_ingress = [{**route, **cors} for route in _routes(ingress, host, services, by_regex)]
            if weight := _canary_weight(ingress):
                canaries += [{**route, "weight": weight} for route in of_ingress]
            else:
                routes += of_ingress
        except ValueError as error:
            return Routes(reason=f"{where} {error}, which the config cannot express")
    if by_regex and not _is_in_order({text(path, "path") for ingress in ingresses for path in _paths(ingress, host)}):
        return Routes(reason="has expressions that the config would try in another order than nginx")
    # The longest path gets a request, regardless of the order; of two that are the same, the oldest one.
    others = {(route.get("exact"), route.get("regex")): route for route in reversed(routes) if "path" not in route}
    prefixes = sorted((route for route in routes if "path" in route), key=lambda route: -len(route["path"]))
    routes = [*reversed(others.values()), *reachable(prefixes)]
    for canary in canaries:
        main = next((route for route in routes if _path_of(route) == _path_of(canary) and "canary" not in route), None)
        if main is None:
            return Routes(reason=f"has a canary for {_path_of(canary)[1]}, and not one route that it is for")
        main["canary"] = {key: canary[key] for key in ("service", "namespace", "port", "weight")}
    return Routes(routes) if routes else Routes(reason=f"Ingress {qualified(ingresses[0])} has no route for it")


def _class(ingress: Object) -> str:
    annotation = text(ingress, "metadata", "annotations", solver_route.CLASS_ANNOTATION)
    return text(ingress, "spec", "ingressClassName") or annotation


def _annotations(ingress: Object) -> dict[str, str]:
    """Return the full names of the annotations for nginx, by the part after the slash."""
    annotations = map(str, mapping(ingress, "metadata", "annotations"))
    return {name.rpartition("/")[2]: name for name in annotations if name.startswith(_NGINX)}


def _unsupported_annotations(ingress: Object) -> Iterator[str]:
    for short, name in _annotations(ingress).items():
        value = str(at(ingress, "metadata", "annotations", name))
        known = short in _NO_EFFECT_ON_ROUTES or name in _EXPRESSED
        if not known and _AS_THE_STACK.get(short, "").lower() != value.lower():
            yield name


def _canary_weight(ingress: Object) -> int:
    """Return the per cent of requests that an Ingress gets beside the one of the same host and path; 0 for all.

    Raises:
        ValueError: it gets none, all of them, or those that something else decides about.
    """
    annotations = mapping(ingress, "metadata", "annotations")
    if text(annotations, _CANARY).lower() != "true":
        return 0
    weight = text(annotations, _CANARY_WEIGHT)
    if not re.fullmatch("[1-9][0-9]?", weight):
        raise ValueError(f"is a canary of the weight {weight or 'none'}")
    return int(weight)


def _cors(ingress: Object) -> Route:
    """Return the part of a route that says what pages of other origins may request.

    Raises:
        ValueError: the config has other origins, methods or headers.
    """
    annotations = mapping(ingress, "metadata", "annotations")
    if text(annotations, _ENABLE_CORS).lower() != "true":
        return {}
    said = {name: text(annotations, f"{_CORS}{name}") or default for name, default in _CORS_DEFAULTS.items()}
    lists = {name: [item.strip() for item in value.split(",") if item.strip()] for name, value in said.items()}
    origins = [headers.origin(origin) for origin in lists["allow-origin"]]
    if not said["max-age"].isdecimal():
        raise ValueError(f"has the cors-max-age {said['max-age']}")
    cors: Route = {
        "allowOrigins": origins,
        "allowMethods": [headers.method(method) for method in lists["allow-methods"]],
        "allowHeaders": [headers.name(name) for name in lists["allow-headers"]],
        "exposeHeaders": [headers.name(name) for name in lists["expose-headers"]],
        # With the origin *, browsers do not send them.
        "allowCredentials": said["allow-credentials"] == "true" and headers.ANY_ORIGIN not in origins,
        "maxAge": max(1, min(int(said["max-age"]), _MAX_AGE)),
    }
    return {"cors": {key: value for key, value in cors.items() if value}}


def _path_of(route: Route) -> tuple[str, str]:
    return next((kind, route[kind]) for kind in ("exact", "regex", "path") if kind in route)


def _makes_regex(ingress: Object) -> bool:
    annotations = mapping(ingress, "metadata", "annotations")
    return text(annotations, _USE_REGEX).lower() == "true" or bool(text(annotations, _TARGET))


def _whole(path: str) -> str:
    """Return the expression for whole paths that has the meaning of one for the beginning of a path."""
    is_whole = path.endswith(("$", ".*", ".*)"))
    return f"(?i){path.removesuffix('$')}{'' if is_whole else '.*'}"


def _is_in_order(paths: Iterable[str]) -> bool:
    """Tell whether the longest of some paths, which nginx tries first, is the longest one as a route too."""
    longest_first = sorted(paths, key=lambda path: -len(path))
    lengths = [len(_whole(path)) for path in longest_first if path != "/"]
    return lengths == sorted(lengths, reverse=True)


def _by_regex(path: str, target: str) -> Route:
    """Return the part of a route that stands for a path that nginx reads as a regular expression.

    Raises:
        ValueError: Envoy reads it in another way, or the rewrite has more than groups of it.
    """
    if path == "/" and not target:
        return {"path": "/"}
    if "|" in re.sub(r"\([^()]*\)", "", path):
        raise ValueError(f"has the path {path}")
    regex = patterns.path_regex(_whole(path))
    if not target:
        return {"regex": regex}
    if not re.fullmatch(r"/([^$?\\\s]|\$[1-9])*", target):
        raise ValueError(f"has the rewrite {target}")
    rewrite = patterns.rewrite(re.sub(r"\$([1-9])", r"\\\1", target))
    if patterns.last_group(rewrite) > patterns.group_count(regex):
        raise ValueError(f"has the rewrite {target}")
    return {"regex": regex, "rewrite": rewrite}


def _paths(ingress: Object, host: str) -> Iterator[Object]:
    for rule in mappings(ingress, "spec", "rules"):
        if text(rule, "host").lower() == host:
            yield from mappings(rule, "http", "paths")


def _routes(ingress: Object, host: str, services: Sequence[Object], by_regex: bool) -> Iterator[Route]:
    target = text(ingress, "metadata", "annotations", _TARGET)
    for path in _paths(ingress, host):
        service = text(path, "backend", "service", "name")
        if service.startswith("cm-acme-http-solver-"):
            continue  # cert-manager can be told to add the route of a challenge to the Ingress itself.
        prefix = text(path, "path") or "/"
        if not re.fullmatch(r"/\S*", prefix):
            raise ValueError(f"has the path {prefix}")
        if text(path, "pathType") == "Prefix":
            prefix = prefix.rstrip("/") or "/"  # Kubernetes compares whole elements, without the last slash.
        if by_regex:
            match = _by_regex(prefix, target)
        else:
            match = {"exact" if text(path, "pathType") == "Exact" else "path": prefix}
        port = at(path, "backend", "service", "port", "number")
        port = at(path, "backend", "service", "port", "name") if port is None else port
        yield {**match, **to_service(service, text(ingress, "metadata", "namespace"), port, services)}


def changes(host: str, ingresses: Sequence[Object]) -> Iterator[Problem]:
    """Yield what the gateway does differently for a host whose routes it takes over."""
    by_regex = any(map(_makes_regex, ingresses))
    for ingress in ingresses:
        if _BODY_SIZE in _annotations(ingress):
            yield note(ingress, f"has the limit {_BODY_SIZE} for {host}; the gateway accepts bodies of any size")
        for path in _paths(ingress, host):
            prefix = text(path, "path").rstrip("/")
            if prefix and text(path, "pathType") == "Prefix" and not by_regex:
                what = f"has {prefix} as a path of whole elements for {host}; the gateway also matches {prefix}..."
                yield note(ingress, what)
