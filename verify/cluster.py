"""The cluster's side, where it is reachable: read as the stack's own provider reads it; nothing is written."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from components.rules import acme
from components.rules.issuance import chain_of_problems
from verify import objects
from verify.checks import INGRESS, Result
from verify.environment import Environment

if TYPE_CHECKING:
    from kubernetes import client

TIMEOUT = (3, 5)
"""Seconds to connect and to answer."""

ISTIO = "networking.istio.io"
CERT_MANAGER = "cert-manager.io"
ACME = "acme.cert-manager.io"


def look(environment: Environment) -> list[Result]:
    """Judge every object that serves the stack's hosts, or say why they cannot be read from here."""
    # The client comes with the program's SDKs, which take their time to load.
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    from components.kubernetes_api import api_client

    try:
        api = api_client(environment.kubeconfig, environment.settings.context)
        client.VersionApi(api).get_code(_request_timeout=TIMEOUT)
    except client.ApiException as error:
        return [_unread(f"the API server answers {error.status} {error.reason}")]
    except HTTPError as error:
        return [_unread(f"{api.configuration.host} does not answer: {type(error).__name__}")]
    except (config.ConfigException, OSError) as error:
        return [_unread(str(error))]
    results = [Result("cluster", INGRESS, "ok", f"read from {api.configuration.host}")]
    for check, part in _PARTS:
        try:
            results += part(environment, api)
        except client.ApiException as error:
            results.append(Result(check, INGRESS, "skipped", f"not read from here: {_refusal(error)}"))
        except HTTPError as error:
            results.append(Result(check, INGRESS, "skipped", f"not read from here: {type(error).__name__}"))
    return results


def _unread(why: str) -> Result:
    return Result("cluster", INGRESS, "skipped", f"not read from here: {why.splitlines()[0] if why else 'no answer'}")


def _refusal(error: client.ApiException) -> str:
    if error.status == 404:
        return "the cluster does not know this kind of object"
    return f"the API server answers {error.status} {error.reason}"


def _service(environment: Environment, api: client.ApiClient) -> list[Result]:
    from components.load_balancer import GatewayProblemsError, UnreachableError, find_address

    service = environment.settings.ingress.service
    describe = f"kubectl --namespace {environment.namespace} describe service {service}"
    try:
        address = find_address(api, environment.namespace, service, timeout=0)
    except UnreachableError as error:
        return [Result("service", INGRESS, "skipped", f"not read from here: {error}")]
    except GatewayProblemsError as error:
        detail = "; ".join(f"{problem.where} {problem.what}" for problem in error.problems)
        fix = tuple(command for problem in error.problems for command in problem.fix)
        return [Result("service", INGRESS, "failed", detail, fix)]
    if address != environment.ip:
        detail = f"its address is {address or 'pending'}, the stack's is {environment.ip}"
        return [Result("service", INGRESS, "failed", detail, (describe, environment.up))]
    return [Result("service", INGRESS, "ok", f"ports 80 and 443 at {address}")]


def _issuer(environment: Environment, api: client.ApiClient) -> list[Result]:
    kind = environment.settings.acme.issuer_kind
    namespace = environment.namespace if kind == acme.ISSUER else None
    listed = _list(api, CERT_MANAGER, f"{kind.lower()}s", namespace)
    return [objects.judge_issuer(environment, objects.named(listed, environment.issuer))]


def _certificates(environment: Environment, api: client.ApiClient) -> list[Result]:
    where = environment.namespace
    certificates = _list(api, CERT_MANAGER, "certificates", where)
    chain = (
        _list(api, CERT_MANAGER, "certificaterequests", where),
        _list(api, ACME, "orders", where),
        _list(api, ACME, "challenges", where),
    )
    now = datetime.datetime.now(datetime.UTC)
    return [
        objects.judge_certificate(
            environment,
            name,
            objects.named(certificates, name),
            [f"{each.where}: {each.what}" for each in chain_of_problems(name, certificates, *chain)],
            now,
        )
        for name in environment.certificates
    ]


def _secrets(environment: Environment, api: client.ApiClient) -> list[Result]:
    from kubernetes import client

    core = client.CoreV1Api(api)
    results = []
    for name in environment.certificates:
        try:
            secret = core.read_namespaced_secret(name, environment.namespace, _request_timeout=TIMEOUT)
        except client.ApiException as error:
            if error.status != 404:
                raise
            secret = None
        found = None if secret is None else {"data": secret.data}
        results.append(objects.judge_secret(environment, name, found))
    return results


def _gateways(environment: Environment, api: client.ApiClient) -> list[Result]:
    gateways = _list(api, ISTIO, "gateways", environment.namespace)
    routes = _list(api, ISTIO, "virtualservices", environment.namespace)
    return [objects.judge_gateway(environment, host, gateways, routes) for host in environment.hosts]


def _list(api: client.ApiClient, group: str, plural: str, namespace: str | None = None) -> list[objects.Object]:
    from kubernetes import client

    custom = client.CustomObjectsApi(api)
    if namespace is None:
        found: Any = custom.list_cluster_custom_object(group, "v1", plural, _request_timeout=TIMEOUT)
    else:
        found = custom.list_namespaced_custom_object(group, "v1", namespace, plural, _request_timeout=TIMEOUT)
    items: list[objects.Object] = found["items"]
    return items


_PARTS: Sequence[tuple[str, Callable[[Environment, client.ApiClient], list[Result]]]] = (
    ("service", _service),
    ("issuer", _issuer),
    ("certificate", _certificates),
    ("secret", _secrets),
    ("gateway", _gateways),
)
