"""The checks that need the cluster. They read with the credentials of the stack's own provider, and write nothing."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from components import preflight
from components.kube import mesh
from components.kube.client import Client, ClusterError, RefusedError
from components.kube.issuance import chain_of_problems, use_routes
from components.kube.load_balancer import asks_for_address, find_address, read_service
from components.preflight.neighbours import Pods
from components.preflight.service import Wanted
from components.problem import COMMANDS, Problem, ProblemsError, sentence
from components.shared_args import Http01Args
from components.specs import acme, addresses, apis
from components.specs.cert_manager import ACME_API
from components.specs.cert_manager import API as CERT_MANAGER_API
from components.specs.gateway_api import VERSION as GATEWAY_API
from components.specs.istio import VERSION as ISTIO_API
from config.cluster import ISSUER_COMMANDS, ingress_commands
from tlsctl.verify import gateway_api, issuance, istio
from tlsctl.verify.environment import Environment, Object, Objects
from tlsctl.verify.https import fingerprint
from tlsctl.verify.neighbours import Neighbours
from tlsctl.verify.results import INGRESS, Result, failed, ok, skipped
from tlsctl.verify.served import Read, Served, TlsServer

_INGRESSES = "networking.k8s.io/v1"
_READ_SERVED: Mapping[str, Callable[[Environment, Read], Served]] = {
    apis.ISTIO: istio.read_served,
    apis.GATEWAY: gateway_api.read_served,
}
"""Reads what is served, by the API that it is written in."""

_OF_OTHERS = (
    (ISTIO_API, "gateways"),
    (ISTIO_API, "virtualservices"),
    (GATEWAY_API, "gateways"),
    (GATEWAY_API, "listenersets"),
    (GATEWAY_API, "httproutes"),
    (_INGRESSES, "ingresses"),
    (_INGRESSES, "ingressclasses"),
)
"""The kinds that are read of all namespaces, to find those that have a host of the stack."""

_READERS = 8
"""Secrets are read by name, this many at once: verify should not need the right to list them."""


@dataclass
class Seen:
    """What was read from the cluster."""

    results: list[Result]
    servers: dict[str, TlsServer] = field(default_factory=dict)
    """The TLS server of each host; empty where Gateways cannot be read."""
    fingerprints: dict[str, str] = field(default_factory=dict)
    """The fingerprint of the certificate in each Secret."""
    issuance: list[Problem] = field(default_factory=list)
    """What is wrong with the Certificates, their Orders and Challenges."""


def look(environment: Environment) -> Seen:
    """Judge every object that serves the stack's hosts, or say why they cannot be read."""
    try:
        client = Client(environment.kubeconfig, environment.settings.context)
        client.ask_version()
    except ClusterError as error:
        return _unread(str(error))
    seen = Seen([ok("cluster", INGRESS, f"read from {client.host}")])
    for check, part in _PARTS:
        try:
            seen.results += part(environment, client, seen)
        except ClusterError as error:
            unknown = isinstance(error, RefusedError) and error.status == 404
            seen.results.append(
                _not_read(check, "the cluster does not know this kind of object" if unknown else str(error))
            )
    return seen


def _unread(reason: str) -> Seen:
    return Seen([_not_read("cluster", reason.splitlines()[0] if reason else "no answer")])


def _not_read(check: str, reason: str) -> Result:
    return skipped(check, INGRESS, f"not read from here: {reason}")


def _service(environment: Environment, client: Client, _: Seen) -> list[Result]:
    service, expected = environment.settings.ingress.service, list(environment.addresses.values())
    wanted = Wanted(
        environment.settings.ingress.family,
        environment.settings.proves_over_http,
        commands=_commands(environment),
        selector=environment.settings.ingress.selector if environment.settings.api == apis.ISTIO else {},
        public_ca=environment.settings.proves_over_http and environment.settings.acme.public,
    )
    try:
        actual = find_address(client, environment.namespace, service, timeout=0, wanted=wanted)
    except ClusterError as error:
        return [_not_read("service", str(error))]
    except ProblemsError as error:
        return [failed("service", INGRESS, f"{one.where} {one.what}", one.fix) for one in error.problems]
    at = ", ".join(actual or ["pending"])
    if actual is None or list(actual) != expected:
        return [environment.failed("service", INGRESS, f"its address is {at}, the stack's is {', '.join(expected)}")]
    return [ok("service", INGRESS, f"its ports are open, at {at}{_reservation(environment, client)}")]


def _commands(environment: Environment) -> Mapping[str, str]:
    labels = environment.settings.ingress.selector
    return ingress_commands(environment.path, shares_service=environment.shares_service, labels=labels)


def _reservation(environment: Environment, client: Client) -> str:
    """Say whether a Service that is deleted and made again would get the same address, as far as the stack knows."""
    service = read_service(client, environment.namespace, environment.settings.ingress.service)
    asks = service is not None and asks_for_address(service)
    if environment.reserves:
        value = addresses.chart_value(environment.ip)
        return ", reserved" if asks else f", reserved; the Service does not ask for it yet (helm upgrade … {value})"
    return ", which the Service asks for" if asks else ", which is lost if the Service is replaced (ingress.address)"


def _mesh(environment: Environment, client: Client, _: Seen) -> list[Result]:
    """Name what closes the gateway inside of the mesh, by the checks of a preview."""
    ingress = environment.settings.ingress
    if not environment.settings.proves_over_http:
        return []
    by_route = environment.settings.api == apis.GATEWAY
    http01 = {key: getattr(ingress, key) for key in Http01Args.__annotations__}
    gateway = mesh.read(
        client, environment.namespace, ingress.service, http01, _commands(environment), by_route=by_route
    )
    return [
        failed(check.verify, INGRESS, sentence(problem), problem.fix)
        for check in preflight.MESH.values()
        for problem in check.problems(gateway)
    ]


def _issuer(environment: Environment, client: Client, seen: Seen) -> list[Result]:
    kind = environment.settings.acme.issuer_kind
    namespace = environment.namespace if kind == acme.ISSUER else None
    issuers = _list(client, CERT_MANAGER_API, f"{kind.lower()}s", namespace)
    return [issuance.judge_issuer(environment, issuers.get(environment.issuer), seen.issuance)]


def _certificates(environment: Environment, client: Client, seen: Seen) -> list[Result]:
    COMMANDS["issuers"] = ISSUER_COMMANDS
    namespace, now = environment.namespace, datetime.datetime.now(datetime.UTC)
    certificates = _list(client, CERT_MANAGER_API, "certificates", namespace)
    chain = [
        list(_list(client, group, plural, namespace).values())
        for group, plural in ((CERT_MANAGER_API, "certificaterequests"), (ACME_API, "orders"), (ACME_API, "challenges"))
    ]
    *_, challenges = chain
    if use_routes(challenges):
        chain.append(list(_list(client, GATEWAY_API, "httproutes", namespace).values()))
    results = []
    server = getattr(environment.settings.acme.servers, environment.settings.acme.issuer)
    for name in environment.certificates:
        certificate = certificates.get(name)
        problems = chain_of_problems(name, [certificate], *chain, server=server) if certificate else []
        seen.issuance += problems
        results.append(issuance.judge_certificate(environment, name, certificate, problems, now))
    return results


def _secrets(environment: Environment, client: Client, seen: Seen) -> list[Result]:
    results = []
    with ThreadPoolExecutor(_READERS) as pool:
        secrets = pool.map(partial(_secret, environment, client), environment.certificates)
        for name, secret in zip(environment.certificates, secrets, strict=True):
            results.append(issuance.judge_secret(environment, name, secret))
            certificate = issuance.certificate_in((secret or {}).get("data") or {})
            if certificate is not None:
                seen.fingerprints[name] = fingerprint(certificate)
    return results


def _secret(environment: Environment, client: Client, name: str) -> Object | None:
    return client.get("v1", "secrets", name, environment.namespace)


def _gateways(environment: Environment, client: Client, seen: Seen) -> list[Result]:
    served = _READ_SERVED[environment.settings.api](environment, partial(_list, client))
    servers = {host: served.tls_server(host, seen.fingerprints) for host in environment.hosts}
    seen.servers |= {host: server for host, server in servers.items() if server}
    return [served.judge(host) for host in environment.hosts]


def read_neighbours(environment: Environment, client: Client, _: Seen | None = None) -> list[Result]:
    """Judge the objects of others in all namespaces, or as far as the rights to read them allow."""
    objects: dict[tuple[str, str], list[Object]] = {}
    results = []
    for version, plural in _OF_OTHERS:
        try:
            objects[version, plural] = client.items(version, plural)
        except RefusedError as error:
            objects[version, plural] = []
            # Nobody has objects of a kind that the cluster does not know.
            if error.status != 404:
                kind = f"{plural}.{version.partition('/')[0]}"
                results.append(_not_read("neighbour", f"{kind} of all namespaces: {error}"))
                if plural == "gateways":
                    with suppress(RefusedError):
                        objects[version, plural] = client.items(version, plural, environment.namespace)
    ingress = environment.settings.ingress
    pods = Pods(environment.namespace, ingress.service, ingress.selector, _pod_labels(environment, client))
    listeners = (
        *pods.listeners(objects[ISTIO_API, "gateways"]),
        *gateway_api.listeners(environment, objects[GATEWAY_API, "gateways"], objects[GATEWAY_API, "listenersets"]),
    )
    routes = (
        *istio.routes(objects[ISTIO_API, "virtualservices"]),
        *gateway_api.routes(objects[GATEWAY_API, "httproutes"]),
    )
    classes = {
        item["metadata"]["name"]: item.get("spec", {}).get("controller")
        for item in objects[_INGRESSES, "ingressclasses"]
    }
    neighbours = Neighbours(environment, listeners, routes, objects[_INGRESSES, "ingresses"], classes)
    return [*results, *neighbours.judge()]


def _pod_labels(environment: Environment, client: Client) -> list[Mapping[str, str]]:
    """Return the labels of each of the gateway's Pods; none where they cannot be read."""
    selector = ",".join(f"{key}={value}" for key, value in environment.settings.ingress.selector.items())
    try:
        pods = client.items("v1", "pods", environment.namespace, label_selector=selector)
    except RefusedError:
        return []
    return [pod["metadata"].get("labels") or {} for pod in pods]


def _mtls(environment: Environment, client: Client, _: Seen) -> list[Result]:
    if environment.settings.mtls == "off":
        return []
    namespaces = environment.settings.mesh_namespaces
    policies = {name: _list(client, "security.istio.io/v1", "peerauthentications", name) for name in namespaces}
    return [istio.judge_mutual_tls(environment, policies)]


def _list(client: Client, version: str, plural: str, namespace: str | None = None) -> Objects:
    return {item["metadata"]["name"]: item for item in client.items(version, plural, namespace)}


_PARTS: Sequence[tuple[str, Callable[[Environment, Client, Seen], list[Result]]]] = (
    ("service", _service),
    ("certificate", _certificates),
    ("issuer", _issuer),
    ("secret", _secrets),
    ("gateway", _gateways),
    ("neighbour", read_neighbours),
    ("challenge", _mesh),
    ("mtls", _mtls),
)
"""In this order: Orders show whether the issuer's account is known, and Secrets which server presents a certificate."""
