"""The cluster's side, where it is reachable: read as the stack's own provider reads it; nothing is written."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from components.kube.causes import chain_of_problems
from components.specs import acme, addresses
from config.cluster import ingress_commands
from tlsctl.verify import serving, signing
from tlsctl.verify.certificates import fingerprint
from tlsctl.verify.environment import Environment, Object
from tlsctl.verify.results import INGRESS, Result

if TYPE_CHECKING:
    from kubernetes import client

TIMEOUT = (3, 5)
"""Seconds to connect and to answer."""

ISTIO = "networking.istio.io"
SECURITY = "security.istio.io"
CERT_MANAGER = "cert-manager.io"
ACME = "acme.cert-manager.io"

_READERS = 8
"""Secrets are read by name, this many at once: the right to list them is more than verify should have."""


@dataclass
class Seen:
    """What came of the cluster."""

    results: list[Result]
    servers: dict[str, serving.Server] = field(default_factory=dict)
    """The server of a Gateway that is there for each host; empty where they cannot be read."""
    fingerprints: dict[str, str] = field(default_factory=dict)
    """Of the certificate in each Secret."""
    words: list[str] = field(default_factory=list)
    """What is wrong with the Certificates, their Orders and Challenges."""


def look(environment: Environment) -> Seen:
    """Judge every object that serves the stack's hosts, or say why they cannot be read from here."""
    # The client takes most of a second to load: meanwhile the hosts are asked.
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    from components.kube.client import api_client

    try:
        api = api_client(environment.kubeconfig, environment.settings.context)
        client.VersionApi(api).get_code(_request_timeout=TIMEOUT)
    except client.ApiException as error:
        return _unread(f"the API server answers {error.status} {error.reason}")
    except HTTPError as error:
        return _unread(f"{api.configuration.host} does not answer: {type(error).__name__}")
    except (config.ConfigException, OSError) as error:
        return _unread(str(error))
    seen = Seen([Result("cluster", INGRESS, "ok", f"read from {api.configuration.host}")])
    for check, part in _PARTS:
        try:
            seen.results += part(environment, api, seen)
        except client.ApiException as error:
            seen.results.append(Result(check, INGRESS, "skipped", f"not read from here: {_refusal(error)}"))
        except HTTPError as error:
            seen.results.append(Result(check, INGRESS, "skipped", f"not read from here: {type(error).__name__}"))
    return seen


def _unread(why: str) -> Seen:
    reason = why.splitlines()[0] if why else "no answer"
    return Seen([Result("cluster", INGRESS, "skipped", f"not read from here: {reason}")])


def _refusal(error: client.ApiException) -> str:
    if error.status == 404:
        return "the cluster does not know this kind of object"
    return f"the API server answers {error.status} {error.reason}"


def _service(environment: Environment, api: client.ApiClient, _: Seen) -> list[Result]:
    from components.kube.load_balancer import GatewayProblemsError, UnreachableError, Wanted, find_address

    service, wanted = environment.settings.ingress.service, list(environment.addresses.values())
    look = Wanted(environment.settings.ingress.family, environment.proves_over_http, ingress_commands(environment.path))
    try:
        found = find_address(api, environment.namespace, service, timeout=0, wanted=look)
    except UnreachableError as error:
        return [Result("service", INGRESS, "skipped", f"not read from here: {error}")]
    except GatewayProblemsError as error:
        return [
            Result("service", INGRESS, "failed", f"{problem.where} {problem.what}", problem.fix)
            for problem in error.problems
        ]
    at = ", ".join(found or ["pending"])
    if found is None or list(found) != wanted:
        detail = f"its address is {at}, the stack's is {', '.join(wanted)}"
        return [Result("service", INGRESS, "failed", detail, environment.fix("service"))]
    return [Result("service", INGRESS, "ok", f"its ports are there, at {at}{_kept(environment, api)}")]


def _kept(environment: Environment, api: client.ApiClient) -> str:
    """Say whether the Service would have the same address if it were made anew, as far as that is known from here."""
    from components.kube.load_balancer import asks_for_address, read_service

    service = read_service(api, environment.namespace, environment.settings.ingress.service)
    asks = service is not None and asks_for_address(service)
    if environment.reserves:
        ask = addresses.chart_value(environment.ip)
        return ", reserved" if asks else f", reserved; the Service does not ask for it yet (helm upgrade … {ask})"
    return ", which the Service asks for" if asks else ", which is lost if the Service is made anew (ingress.address)"


def _issuer(environment: Environment, api: client.ApiClient, seen: Seen) -> list[Result]:
    kind = environment.settings.acme.issuer_kind
    namespace = environment.namespace if kind == acme.ISSUER else None
    listed = _list(api, CERT_MANAGER, f"{kind.lower()}s", namespace)
    return [signing.judge_issuer(environment, listed.get(environment.issuer), seen.words)]


def _certificates(environment: Environment, api: client.ApiClient, seen: Seen) -> list[Result]:
    where = environment.namespace
    certificates = _list(api, CERT_MANAGER, "certificates", where)
    chain = [
        list(_list(api, group, plural, where).values())
        for group, plural in ((CERT_MANAGER, "certificaterequests"), (ACME, "orders"), (ACME, "challenges"))
    ]
    now = datetime.datetime.now(datetime.UTC)
    results = []
    for name in environment.certificates:
        found = certificates.get(name)
        problems = chain_of_problems(name, [found], *chain) if found else []
        seen.words += [problem.what for problem in problems]
        results.append(signing.judge_certificate(environment, name, found, problems, now))
    return results


def _secrets(environment: Environment, api: client.ApiClient, seen: Seen) -> list[Result]:
    def read(name: str) -> tuple[str, Mapping[str, Any] | None]:
        return name, _secret(environment, api, name)

    results = []
    with ThreadPoolExecutor(_READERS) as pool:
        for name, found in pool.map(read, environment.certificates):
            results.append(signing.judge_secret(environment, name, found))
            certificate = signing.certificate_in((found or {}).get("data") or {})
            if certificate is not None:
                seen.fingerprints[name] = fingerprint(certificate.public_bytes(Encoding.DER))
    return results


def _secret(environment: Environment, api: client.ApiClient, name: str) -> Mapping[str, Any] | None:
    from kubernetes import client

    try:
        secret = client.CoreV1Api(api).read_namespaced_secret(name, environment.namespace, _request_timeout=TIMEOUT)
    except client.ApiException as error:
        if error.status != 404:
            raise
        return None
    return {"data": secret.data}


def _gateways(environment: Environment, api: client.ApiClient, seen: Seen) -> list[Result]:
    gateways = _list(api, ISTIO, "gateways", environment.namespace)
    services = _list(api, ISTIO, "virtualservices", environment.namespace)
    for host in environment.hosts:
        if server := serving.tls_server(environment, host, gateways):
            secret = server.get("tls", {}).get("credentialName", "")
            seen.servers[host] = serving.Server(serving.tls_settings(server), seen.fingerprints.get(secret))
    neighbours = (serving.judge_neighbours(environment, host, gateways) for host in environment.hosts)
    return [
        *(serving.judge_gateway(environment, host, gateways, services) for host in environment.hosts),
        *(each for each in neighbours if each),
    ]


def _mtls(environment: Environment, api: client.ApiClient, _: Seen) -> list[Result]:
    if environment.settings.mtls == "off":
        return []
    namespaces = environment.settings.mesh_namespaces
    found = {each: _list(api, SECURITY, "peerauthentications", each) for each in namespaces}
    return [serving.judge_mtls(environment, found)]


def _list(api: client.ApiClient, group: str, plural: str, namespace: str | None = None) -> dict[str, Object]:
    """Return the objects of a kind by their names."""
    from kubernetes import client

    custom = client.CustomObjectsApi(api)
    if namespace is None:
        found: Any = custom.list_cluster_custom_object(group, "v1", plural, _request_timeout=TIMEOUT)
    else:
        found = custom.list_namespaced_custom_object(group, "v1", namespace, plural, _request_timeout=TIMEOUT)
    return {each["metadata"]["name"]: each for each in found["items"]}


_PARTS: Sequence[tuple[str, Callable[[Environment, client.ApiClient, Seen], list[Result]]]] = (
    ("service", _service),
    ("certificate", _certificates),
    ("issuer", _issuer),
    ("secret", _secrets),
    ("gateway", _gateways),
    ("mtls", _mtls),
)
"""In this order: which server is there for a host is known by its Secret, and by the Orders whether the ACME server
knows the issuer's account."""
