"""Why an issuer or a certificate is not Ready, in the ACME server's own words, when the engine says that a wait failed.

The provider's error ends at the awaited object's status. The reason lies further down, in the CertificateRequest,
the Order and the Challenges, which are read here. Nothing is retried, and an engine without error hooks just says less.
"""

import time

import pulumi
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import monitor_supports_feature

from ..engine import hook_name, in_thread
from ..problem import Problem, text
from .credentials import Credentials

MOMENT = 10.0
"""Seconds in which cert-manager may still write its words: a wait with a short bound can end before it has."""

_PAUSE = 1.0


def explain_on_failure(
    component: pulumi.ComponentResource, credentials: pulumi.Output[Credentials]
) -> pulumi.ResourceHookBinding | None:
    """Return hooks that log the reason when a resource they are bound to fails; None where there are no hooks.

    Args:
        component: all of whose resources they are for.
        credentials: of the cluster that the resource is in.
    """
    if not monitor_supports_feature(resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS):
        return None

    async def explain(args: pulumi.ErrorHookArgs) -> bool:
        inputs = args.new_inputs or {}
        metadata = inputs.get("metadata", {})
        known = await credentials.future() or Credentials()
        try:
            found = await in_thread(wait_for_words, known, inputs["kind"], metadata.get("namespace"), metadata["name"])
        except Exception as error:  # whatever it is, it must not hide the failure that is being explained
            found = [Problem(metadata["name"], f"the reason cannot be read: {error}")]
        if found:
            pulumi.log.error(text(found, f"{metadata['name']} is not Ready"))
        return False

    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(hook_name(component), explain)])


def wait_for_words(credentials: Credentials, kind: str, namespace: str | None, name: str) -> list[Problem]:
    """Return what is wrong with a Certificate or an issuer, waiting a moment for it."""
    # The client takes most of a second to load; a program that does not fail does without it.
    from .issuance import problems_of, silence

    api = credentials.api()
    deadline = time.monotonic() + MOMENT
    while True:
        found = problems_of(api, kind, namespace, name)
        if found is None or any(found):
            return found or []
        if time.monotonic() + _PAUSE > deadline:
            return [silence(kind, namespace, name)]
        time.sleep(_PAUSE)
