"""Refuses an update that the CA would cut off half-way: more new certificates than its limits have room for.

Certificates that are there already are read from the cluster, since a program does not see its stack's state. A config
whose certificates would all fit at once is not looked at.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pulumi

from components.problem import Problem, ProblemsError
from components.specs.acme import issuer_name
from config.decoding import config_heading
from config.limits import Limits, Room, batches
from config.models import Settings
from config.problems import set_command
from config.registered import registered_domain

PLAN = "uv run python -m tlsctl plan-rollout"
_TIMEOUT = (5, 10)
"""Seconds to connect and to answer."""
_AT_ONCE = 8

Read = Callable[[str, str], Mapping[str, Any] | None]
"""Returns a Certificate by its namespace and name; None where there is none."""


class UnreadableError(Exception):
    """The cluster cannot be asked; the engine itself says what is wrong with it."""


def require_room(settings: Settings, stack: str, kubeconfig: str | None) -> None:
    """Refuse a config that one update cannot bring about; warn where the cluster cannot be asked.

    Args:
        settings: the config.
        stack: the stack's name.
        kubeconfig: a path or content; None is the ambient one.

    Raises:
        ProblemsError: names what does not fit, and the command that plans it.
    """
    limits = settings.acme.ca_limits
    if limits is None or len(batches(_wanted(settings), Room(limits, registered_domain))) <= 1:
        return
    try:
        there = certificates(settings, limits, reader(kubeconfig, settings.context))
    except UnreadableError as error:
        pulumi.log.warn(
            f"the stack has {len(_wanted(settings))} certificates, which the CA does not sign all at once, and what is"
            f" there of them cannot be read ({error}): an update may be cut off half-way\n    {PLAN}"
        )
        return
    problems = list(cut_off(settings, limits, there))
    if problems:
        raise ProblemsError(*problems, heading=config_heading(stack, problems))


def cut_off(settings: Settings, limits: Limits, there: Mapping[frozenset[str], float]) -> Iterator[Problem]:
    """Yield why one update would not get every certificate.

    Args:
        settings: the config.
        limits: the CA's.
        there: when what is there was asked for, in seconds from now, by its names.
    """
    new = [names for names in _wanted(settings) if frozenset(names) not in there]
    room = Room(limits, registered_domain, [(at, names) for names, at in there.items()])
    planned = batches(new, room)
    if not planned or (len(planned) == 1 and planned[0].at == 0):
        return
    now = len(planned[0].places) if planned[0].at == 0 else 0
    first = min(place for batch in planned if batch.at > 0 for place in batch.places)
    per_host = any(view.settings.certificate.grouping == "perHost" for view in settings.views)
    shared = (set_command(["certificate", "grouping"], "shared"),) if per_host else ()
    yield Problem(
        "hosts",
        f"{len(new)} new certificates are wanted, and the CA signs {now} of them at once: `up` would be cut off"
        f" half-way; accepted: what fits, without {new[first][0]} and those like it that follow,"
        + (" certificates that hosts share," if per_host else "")
        + " or the limits that the CA has set for you (acme.limits)",
        (PLAN, *shared),
    )


def certificates(settings: Settings, limits: Limits, read: Read) -> dict[frozenset[str], float]:
    """Return when each certificate that is as it is wanted was asked for, in seconds from now, by its names.

    One that was never signed is yet to be. One that has lost its Secret is not new to the CA, and is told by its age.
    """
    remembered = limits.certificates.tokens * limits.certificates.seconds
    issuer, now = issuer_name(settings.acme.issuer), time.time()
    places = [
        (view.settings.ingress.namespace, name, frozenset(hosts))
        for view in settings.views
        for name, hosts in view.settings.certificates.items()
    ]
    # The first alone: of a cluster that does not answer, no other is waited for.
    found = [read(*places[0][:2])]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found += pool.map(lambda place: read(*place[:2]), places[1:])
    there = {}
    for (*_, names), each in zip(places, found, strict=True):
        if each and _is_for(each, names, issuer):
            made = datetime.fromisoformat(each["metadata"]["creationTimestamp"]).timestamp() - now
            if each.get("status", {}).get("notAfter") or made < -remembered:
                there[names] = made
    return there


def reader(kubeconfig: str | None, context: str | None) -> Read:
    """Return what reads a Certificate from the stack's cluster.

    Raises:
        UnreadableError: there is no such kubeconfig; what is returned raises it too, of a cluster that does not answer.
    """
    # The client takes most of a second to load; a stack that fits does without it.
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    from components.kube.client import api_client

    try:
        objects = client.CustomObjectsApi(api_client(kubeconfig, context))
    except config.ConfigException as error:
        raise UnreadableError(str(error)) from None

    def read(namespace: str, name: str) -> Mapping[str, Any] | None:
        try:
            found: Any = objects.get_namespaced_custom_object(
                "cert-manager.io", "v1", namespace, "certificates", name, _request_timeout=_TIMEOUT
            )
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise UnreadableError(f"{error.status} {error.reason}") from None
        except HTTPError as error:
            raise UnreadableError(type(error).__name__) from None
        return dict(found)

    return read


def _is_for(found: Mapping[str, Any], names: frozenset[str], issuer: str) -> bool:
    spec = found.get("spec", {})
    return frozenset(spec.get("dnsNames", ())) == names and spec.get("issuerRef", {}).get("name") == issuer


def _wanted(settings: Settings) -> list[list[str]]:
    return [hosts for view in settings.views for hosts in view.settings.certificates.values()]
