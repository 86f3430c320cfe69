"""Plans when the CA signs a stack's certificates, and refuses an update that its rate limits would cut off.

A certificate counts as issued by one rule, `_issued`, whether it was read from the cluster (in a preview or an update,
which cannot see the stack's state) or from the state (`tlsctl plan-rollout`, which may have no access to the cluster).
What other stacks have had signed for the same domains is not visible to either.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pulumi

from components.kube.client import Client, ClusterError
from components.problem import Problem, ProblemsError
from components.specs import cert_manager
from components.specs.acme import group_names, issuer_name
from config.command import TLSCTL
from config.decoding import config_heading
from config.limits import Batch, Limits, Room, batches
from config.models import Settings
from config.problems import set_command
from config.registered import registered_domain

PLAN = f"{TLSCTL} plan-rollout"
_READERS = 8

Read = Callable[[str, str], Mapping[str, Any] | None]
"""Returns a Certificate by its namespace and name; None where there is none."""


class UnreadableError(Exception):
    """The cluster cannot be read; the engine itself reports what is wrong with it."""


@dataclass(frozen=True)
class IssuedCertificate:
    """A Certificate object, as the cluster or the state has it."""

    names: frozenset[str]
    issuer: str
    created: float | None
    """Seconds since 1970; None where it is unknown, and long ago."""
    signed: bool
    """Whether it has been Ready once."""


@dataclass(frozen=True)
class Rollout:
    """The certificates to be signed, in batches that fit into the CA's rate limits."""

    certificates: Sequence[tuple[str, ...]]
    """The names of each certificate to be signed; once for each cluster."""
    batches: Sequence[Batch]
    """Which of them each update gets."""
    unchanged: int
    """How many certificates are issued already."""
    alternative: int | None
    """How many certificates `certificate.grouping` shared would need.

    None where the hosts share them already, or where a gateway's API cannot serve that.
    """
    new: Mapping[str, int]
    """How many more certificates the CA signs at once after the last batch, by registered domain."""
    another: Mapping[str, float]
    """When it signs one more, in seconds from now, by registered domain."""
    again: int
    """How often each certificate can be signed again after the last batch, as when its Secret is lost."""

    @property
    def at_once(self) -> bool:
        """Whether one `pulumi up` gets them all."""
        return all(batch.at == 0 for batch in self.batches)


def plan(
    settings: Settings, certificates: Iterable[IssuedCertificate], *, clusters: int = 1, now: float | None = None
) -> Rollout | None:
    """Return what is to be signed and when, beside the certificates that there are; None for a CA of unknown limits.

    `clusters` is how many stacks have certificates of their own for the same names, none of the others deployed yet.
    """
    limits = settings.acme.ca_limits
    if limits is None:
        return None
    issued = _issued(settings, limits, certificates, time.time() if now is None else now)
    wanted = [tuple(hosts) for view in settings.views for hosts in view.settings.certificates.values()]
    new = [hosts for hosts in wanted if frozenset(hosts) not in issued] + wanted * (clusters - 1)
    room = Room(limits, [(at, names) for names, at in issued.items()])
    planned = batches(new, room)
    end = planned[-1].at if planned else 0.0
    domains = sorted({registered_domain(host) for hosts in wanted for host in hosts})
    per_host = any(view.settings.certificate.grouping == "perHost" for view in settings.views)
    may_share = per_host and not settings.uses_gateway_api
    return Rollout(
        certificates=new,
        batches=planned,
        unchanged=len(wanted) * clusters - len(new),
        alternative=sum(_shared(view.settings) for view in settings.views) if may_share else None,
        new={domain: room.new(domain, end) for domain in domains},
        another={domain: max(end, room.ready([f"another.{domain}"], end)) for domain in domains},
        again=min(room.again(hosts, end) for hosts in wanted),
    )


def _issued(
    settings: Settings, limits: Limits, certificates: Iterable[IssuedCertificate], now: float
) -> dict[frozenset[str], float]:
    """Return when each certificate that the CA has signed was requested, in seconds from now, by its names.

    One that was never Ready has yet to be signed. If it is older than the CA's memory it has lost its Secret instead,
    and costs nothing of the limits for new certificates.
    """
    remembered = limits.certificates.tokens * limits.certificates.seconds
    issuer, issued = issuer_name(settings.acme.issuer), {}
    for certificate in certificates:
        requested = -math.inf if certificate.created is None else certificate.created - now
        if certificate.issuer == issuer and (certificate.signed or requested < -remembered):
            issued[certificate.names] = requested
    return issued


def _shared(settings: Settings) -> int:
    hosts = [host.host for host in settings.hosts]
    return len(group_names(hosts, "shared", settings.certificate.secret_name, settings.acme.profile))


def require_room(settings: Settings, stack: str, kubeconfig: str | None) -> None:
    """Refuse a config whose certificates one update cannot get; warn where the cluster cannot be read.

    A config whose certificates would fit even if none of them were issued yet needs no look at the cluster.

    Raises:
        ProblemsError: names what does not fit, and the command that plans it.
    """
    whole = plan(settings, [])
    if whole is None or whole.at_once:
        return
    try:
        planned = plan(settings, _in_cluster(settings, reader(kubeconfig, settings.context)))
    except UnreadableError as error:
        pulumi.log.warn(
            f"the stack has {len(whole.certificates)} certificates, which the CA does not sign all at once, and the"
            f" existing ones cannot be read ({error}): an update may be cut off half-way\n    {PLAN}"
        )
        return
    if planned is not None and not planned.at_once:
        problem = _cut_off(planned)
        raise ProblemsError(problem, heading=config_heading(stack, [problem]))


def _cut_off(planned: Rollout) -> Problem:
    now = sum(len(batch.places) for batch in planned.batches if batch.at == 0)
    first = min(place for batch in planned.batches if batch.at > 0 for place in batch.places)
    shared = planned.alternative is not None
    what = (
        f"{len(planned.certificates)} new certificates are wanted, and the CA signs {now} of them at once: `up` would"
        f" be cut off half-way; accepted: what fits, without {planned.certificates[first][0]} and those like it that"
        f" follow,{' certificates that hosts share,' if shared else ''} or the limits that the CA has set for you"
        " (acme.limits)"
    )
    fix = (PLAN, *((set_command(["certificate", "grouping"], "shared"),) if shared else ()))
    return Problem("hosts", what, fix)


def _in_cluster(settings: Settings, read: Read) -> list[IssuedCertificate]:
    """Read the stack's Certificates from its cluster, each by its name: the preview identity may not list them."""
    places = [(view.settings.ingress.namespace, name) for view in settings.views for name in view.settings.certificates]
    # The first one is read alone: if the cluster does not answer, there is no wait for the others.
    objects = [read(*places[0])]
    with ThreadPoolExecutor(_READERS) as pool:
        objects += pool.map(lambda place: read(*place), places[1:])
    return [
        IssuedCertificate(
            names=frozenset(certificate.get("spec", {}).get("dnsNames", ())),
            issuer=certificate.get("spec", {}).get("issuerRef", {}).get("name", ""),
            created=datetime.fromisoformat(certificate["metadata"]["creationTimestamp"]).timestamp(),
            signed=bool(certificate.get("status", {}).get("notAfter")),
        )
        for certificate in objects
        if certificate
    ]


def reader(kubeconfig: str | None, context: str | None) -> Read:
    """Return a function that reads a Certificate from the stack's cluster.

    Raises:
        UnreadableError: there is no such kubeconfig. The function raises it where the cluster does not answer.
    """
    try:
        client = Client(kubeconfig, context)
    except ClusterError as error:
        raise UnreadableError(str(error)) from None

    def read(namespace: str, name: str) -> Mapping[str, Any] | None:
        try:
            return client.get(cert_manager.API, "certificates", name, namespace)
        except ClusterError as error:
            raise UnreadableError(str(error)) from None

    return read
