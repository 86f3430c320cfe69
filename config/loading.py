"""Reads a stack's config, and refuses or warns of what it names before any resource is registered."""

import atexit
import contextlib
import gc
import json
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from typing import Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret

from components.problem import COMMANDS, Problem, ProblemsError
from components.specs import istio
from components.specs.acme import CLUSTER_ISSUER, DNS01, HTTP01, ISSUER
from config import proofs
from config.args import Composition
from config.crosschecks import cross_checks
from config.decoding import decode
from config.lookups import find_challenge_domains, find_kubeconfig, find_workload_pool, kept, require_hosts_in_zone
from config.models import Settings
from config.problems import HIDDEN, dotted, set_command
from config.production import PROJECT
from config.rollout import require_room


def load() -> Composition:
    """Read and validate the stack's config, and look up what it names.

    Raises:
        pulumi.RunError: with every problem of the config; the engine prints it without a traceback.
    """
    config = {**get_config_env(), **CONFIG.get()}
    secret = {key for key in config if is_config_secret(key)}
    stack = pulumi.get_stack()
    try:
        settings = decode(Settings, config, PROJECT, stack, secret=secret, cross_check=cross_checks)
        sdk = _load_ahead()
        secrets = frozenset(key.removeprefix(f"{PROJECT}:") for key in secret)
        with _hiding(list(_texts([config[key] for key in secret]))):
            require_hosts_in_zone(settings, stack, secrets)
            challenge_domains = find_challenge_domains(settings)
            pool = find_workload_pool(settings)
            kubeconfig = find_kubeconfig(settings)
            require_room(settings, stack, kubeconfig)
    except ProblemsError as error:
        raise pulumi.RunError(str(error)) from None
    finally:
        gc.enable()
    for warning in warnings(settings, secrets):
        pulumi.log.warn(warning)
    # The SDK's lazy modules would hand out what is half loaded.
    sdk.result()
    gc.freeze()
    composition = Composition(
        settings, stack, kept(kubeconfig, secrets), secrets, challenge_domains, proofs.delegations(settings), pool
    )
    COMMANDS.update(composition.commands)
    return composition


def _load_ahead() -> Future[Any]:
    """Load what comes next while the gcp provider starts, which takes as long; the result is there when the SDK is."""
    # What is loaded stays. Python would look through it for garbage again and again, and once more before it ends.
    gc.disable()
    atexit.register(gc.freeze)
    ahead = ThreadPoolExecutor(1)
    sdk = ahead.submit(lambda: list(map(import_module, _SDK)))
    ahead.submit(import_module, "components.kube.load_balancer")
    return sdk


@contextlib.contextmanager
def _hiding(secrets: Sequence[str]) -> Iterator[None]:
    """Hide texts in the problems of what is looked up: they name what was asked for, and quote the answer."""

    def hidden(given: str) -> str:
        for each in sorted(secrets, key=len, reverse=True):
            given = given.replace(each, HIDDEN)
        return given

    try:
        yield
    except ProblemsError as error:
        found = [
            Problem(hidden(each.where), hidden(each.what), tuple(map(hidden, each.fix))) for each in error.problems
        ]
        raise ProblemsError(*found, heading=error.heading) from None


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts of a config's values that tell something; objects may be JSON."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
    elif isinstance(value, str) and len(value) >= _TELLING:
        yield value


_TELLING = 4
"""Characters: what is shorter stands in many words, and is known to all."""

_SDK = ("pulumi_kubernetes.core.v1", "pulumi_kubernetes.helm.v3")
"""What the components need of it that takes time to load."""


def warnings(settings: Settings, secrets: Set[str]) -> Iterator[str]:
    """Yield what a stack's config leaves open, each with the command that closes it.

    Args:
        settings: the config.
        secrets: keys of it that hold a secret.
    """
    for key in sorted(NAMING & secrets):
        yield (
            f"{key} is a secret in the config, and names cannot be kept: they are part of the resources' ids, which"
            " the state has in plain text"
        )
    for view in settings.views:
        for index, host in enumerate(view.settings.hosts):
            if host.maintenance:
                path = [*view.path, "hosts", index, "maintenance"]
                yield (
                    f"{dotted(path[:-1])} is in maintenance: every request is answered {istio.MAINTENANCE_CODE}\n"
                    f"    {set_command(path, False)}"
                )
    cluster_wide = settings.creates_issuers and settings.acme.issuer_kind == CLUSTER_ISSUER
    # An Issuer cannot prove names by DNS-01, of whichever gateway.
    by_dns = any(view.settings.hosts_proven_by(DNS01) for view in settings.views)
    if settings.production and cluster_wide and settings.challenge == HTTP01 and not by_dns:
        yield (
            "the issuers are ClusterIssuers: whoever may create Certificates, in any namespace, can have one for this"
            " stack's hosts and spend the CA's limits\n"
            f"    {set_command(['acme', 'issuerKind'], ISSUER)}    # signs every certificate anew: docs/moving.md"
        )


NAMING = {"gcp:project", "gke", "hosts", "dns", "ingress", "certificate", "gateways"}
"""Keys whose values are the names of objects."""
