"""Waits until an issuer or a certificate is Ready, and explains in the ACME server's own words why it is not.

The provider's error ends at the awaited object's status. The reason is further down, in the CertificateRequest, the
Order and the Challenges, which are read here. Nothing is retried. An engine without error hooks just says less.
"""

import time
from typing import Any

import pulumi

from .. import preflight
from ..engine import has_error_hooks, hook_name, in_thread
from ..preflight.mesh import Mesh
from ..problem import Problem, text
from ..specs import cert_manager
from .credentials import Credentials
from .issuance import problems_of, silence

WAIT_FOR_READY = {"pulumi.com/waitFor": "condition=Ready"}
"""Annotation: a create or an update ends when the object's Ready condition is True.

https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-annotations/
"""

PATIENCE = 10.0
"""Seconds in which cert-manager may still write its words: a wait with a short timeout can end before it has."""

_PAUSE = 1.0

SURROUNDINGS: dict[str, list[Mesh]] = {}
"""What was seen of the program's gateways before, by namespace: it explains Challenges that fail."""


class AwaitedObject(pulumi.CustomResource):
    """An object of cert-manager with its status, which pulumi_kubernetes' own CustomResource does not show."""

    status: pulumi.Output[dict[str, Any] | None]

    def __init__(
        self, name: str, kind: str, metadata: Any, spec: Any, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        props = {"apiVersion": cert_manager.API, "kind": kind, "metadata": metadata, "spec": spec, "status": None}
        super().__init__(f"kubernetes:{cert_manager.API}:{kind}", name, props, opts)


def timeouts(seconds: int) -> pulumi.CustomTimeouts:
    """Return the timeouts of a resource that is awaited for so many seconds."""
    return pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s")


def explain_on_failure(
    component: pulumi.ComponentResource, credentials: pulumi.Output[Credentials]
) -> pulumi.ResourceHookBinding | None:
    """Return hooks that log why a child of a component is not Ready; None where the engine has no hooks."""
    if not has_error_hooks():
        return None

    async def explain(args: pulumi.ErrorHookArgs) -> bool:
        inputs = args.new_inputs or {}
        metadata = inputs.get("metadata", {})
        namespace, name = metadata.get("namespace"), metadata["name"]
        known = await credentials.future() or Credentials()
        try:
            problems = [
                problem
                for mesh in SURROUNDINGS.get(namespace or "", ())
                for problem in preflight.find(preflight.MESH, mesh, warn=True)
            ]
            problems += await in_thread(wait_for_reason, known, inputs["kind"], namespace, name)
        except Exception as error:  # no error may hide the failure that is being explained
            problems = [Problem(name, f"the reason cannot be read: {error}")]
        if problems:
            pulumi.log.error(text(problems, f"{name} is not Ready"))
        return False

    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(hook_name(component), explain)])


def wait_for_reason(credentials: Credentials, kind: str, namespace: str | None, name: str) -> list[Problem]:
    """Return what is wrong with a Certificate or an issuer, waiting a moment for cert-manager to say it.

    Raises:
        ClusterError: the cluster cannot be read.
    """
    client = credentials.client()
    deadline = time.monotonic() + PATIENCE
    while True:
        problems = problems_of(client, kind, namespace, name)
        if problems is None or problems:
            return problems or []
        if time.monotonic() + _PAUSE > deadline:
            return [silence(kind, namespace, name)]
        time.sleep(_PAUSE)
