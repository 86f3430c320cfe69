"""Reads a stack's config, and refuses or warns of what it names before any resource is registered."""

import contextlib
import json
from collections.abc import Iterator, Sequence, Set
from typing import Any

import pulumi

from components import engine
from components.problem import COMMANDS, HIDDEN, Problem, ProblemsError
from components.specs import dns01, istio
from components.specs.acme import CLUSTER_ISSUER, DNS01, HTTP01, ISSUER
from config.args import Composition
from config.gateway_api import require_gateway_api
from config.gke import find_kubeconfig
from config.lookups import find_challenge_domains, find_workload_pool, require_hosts_in_zone
from config.models import Settings
from config.problems import dotted, remove_command, set_command
from config.production import PROJECT
from config.reading import read_settings
from config.rollout import require_room

NAMING = {"gcp:project", "gke", "hosts", "dns", "ingress", "certificate", "gateways"}
"""Keys whose values are the names of objects."""

_MIN_REDACTED = 4
"""Characters. Shorter values occur inside ordinary words."""


def load() -> Composition:
    """Read and validate the stack's config, and look up what it names.

    Raises:
        pulumi.RunError: with every problem of the config; the engine prints it without a traceback.
    """
    config, secret = engine.stack_config()
    stack = pulumi.get_stack()
    try:
        settings = read_settings(config, stack, secret=secret)
        secrets = frozenset(key.removeprefix(f"{PROJECT}:") for key in secret)
        with _redacting(list(_texts([config[key] for key in secret]))):
            require_hosts_in_zone(settings, stack, secrets)
            challenge_domains = find_challenge_domains(settings)
            pool = find_workload_pool(settings)
            kubeconfig = find_kubeconfig(settings)
            require_gateway_api(settings, stack, kubeconfig)
            require_room(settings, stack, kubeconfig)
    except ProblemsError as error:
        project = pulumi.get_project()
        # Typed as they are, the commands would set keys of the project's own.
        named = f"\nThe project is named {project}, so the commands have to say {PROJECT}:KEY instead of KEY."
        raise pulumi.RunError(f"{error}{'' if project == PROJECT else named}") from None
    for warning in warnings(settings, secrets):
        pulumi.log.warn(warning)
    composition = Composition(settings, settings.stack_name or stack, kubeconfig, secrets, challenge_domains, pool)
    COMMANDS.update(composition.commands)
    return composition


@contextlib.contextmanager
def _redacting(secrets: Sequence[str]) -> Iterator[None]:
    """Hide texts in the problems of lookups, which name what was looked up and quote the answer."""

    def redact(text: str) -> str:
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text

    try:
        yield
    except ProblemsError as error:
        problems = (
            Problem(redact(problem.where), redact(problem.what), tuple(map(redact, problem.fix)))
            for problem in error.problems
        )
        raise ProblemsError(*problems, heading=error.heading) from None


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in values of a config that are long enough to redact; objects may be JSON."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif isinstance(value, str) and len(value) >= _MIN_REDACTED:
        yield value


def warnings(settings: Settings, secrets: Set[str]) -> Iterator[str]:
    """Yield the risks that a config with these secret keys leaves, each with the command that removes it."""
    for key in sorted(NAMING & secrets):
        yield (
            f"{key} is a secret in the config, and names cannot be kept secret: they are part of the resources' ids,"
            " which the state has in plain text"
        )
    for view in settings.views:
        for index, host in enumerate(view.settings.hosts):
            if host.maintenance:
                path = [*view.path, "hosts", index, "maintenance"]
                yield (
                    f"{dotted(path[:-1])} is in maintenance: every request is answered {istio.MAINTENANCE_CODE}\n"
                    f"    {set_command(path, False)}"
                )
        if settings.production and istio.ANY_NAMESPACE in view.settings.ingress.routes_from:
            path = [*view.path, "ingress", "routesFrom"]
            yield (
                f"{dotted(path)} is `*`: a VirtualService of any namespace can serve any path of the hosts\n"
                f"    {remove_command(path)}"
            )
    cluster_wide = settings.creates_issuers and settings.acme.issuer_kind == CLUSTER_ISSUER
    # An Issuer cannot prove names by DNS-01, of any gateway.
    by_dns = any(view.settings.hosts_proven_by(DNS01) for view in settings.views)
    if settings.production and cluster_wide and settings.challenge == HTTP01 and not by_dns:
        yield (
            "the issuers are ClusterIssuers: anyone who can create Certificates, in any namespace, can get one for this"
            " stack's hosts and use up the CA's limits\n"
            f"    {set_command(['acme', 'issuerKind'], ISSUER)}    # signs every certificate again: docs/moving.md"
        )
    for view in settings.views:
        dns = view.settings.dns
        if settings.production and dns.workload_identity and not dns.workload_account:
            path = [*view.path, "dns", "workloadAccount"]
            yield (
                "cert-manager of every cluster of the project can write the zone that proves this stack's hosts\n"
                f"    {set_command(path, dns01.ACCOUNT_UID)}    # once cert-manager is installed"
            )
    if settings.production and not settings.reserve_hosts and not all(view.settings.dns.caa for view in settings.views):
        # No file sets CAA for everybody: it also locks out CAs and clusters that the program does not know.
        yield (
            "anyone who can create Issuers and Ingresses, in any namespace, can prove this stack's hosts to the CA with"
            " an ACME account of their own\n"
            f"    {set_command(['dns', 'caa'], True)}    # unless others sign for the hosts too: docs/challenges.md\n"
            f"    {set_command(['reserveHosts'], True)}    # or this: docs/security.md"
        )
