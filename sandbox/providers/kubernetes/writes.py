"""How objects are written: created once, with patience for what they need, then applied on the server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.providers.kubernetes import fields, waits
from sandbox.providers.kubernetes.apiserver import ApiError, ApiServer, NoMatchError, Object

RETRY_SECONDS: Final = (1, 2, 4, 8, 16)

EXISTS: Final = """

The resource already exists in the cluster. This can happen when:

  - Renaming a Pulumi resource: use an alias to preserve the identity,
    or use deleteBeforeReplace if the resource needs replacement.
  - Managing an existing resource: use a Patch resource (e.g. NamespacePatch)
    to manage specific fields without owning the resource lifecycle.
  - Adopting a resource into Pulumi: use `pulumi import`. Note that
    protected resources (e.g. kube-system) cannot be deleted on destroy.
  - Intentional upsert: set upsertExistingObjects on the provider to allow
    server-side apply to update existing objects on create."""


@dataclass(frozen=True)
class Writer:
    """Writes one object.

    Attributes:
        server: Where to.
        config: The provider's configuration.
        cancelled: Set when retries must end.
        report: Told of each retry.
    """

    server: ApiServer
    config: Mapping[str, str]
    cancelled: threading.Event
    report: Callable[[str], None]

    def create(self, inputs: Object, manager: str, *, dry_run: bool) -> Object:
        """Create an object, again while its namespace or CRD is missing: another resource may be making it.

        Raises:
            ApiError: The server refused it, for instance because it exists.
            NoMatchError: Its kind did not appear.
        """
        for attempt, seconds in enumerate(RETRY_SECONDS):
            try:
                return self._create(inputs, manager, dry_run=dry_run)
            except (ApiError, NoMatchError) as error:
                if self.cancelled.is_set() or not _may_pass(error, dry_run=dry_run):
                    raise
                self.report(f"Retry #{attempt}; creation failed: {error}")
                self.cancelled.wait(seconds)
        return self._create(inputs, manager, dry_run=dry_run)

    def apply(self, inputs: Object, old: Object, manager: str, *, dry_run: bool) -> Object:
        """Apply inputs to an object that exists.

        Raises:
            ApiError: The server refused it, for instance because another manager owns a field.
        """
        live = self.server.get(old)
        force = (
            waits.annotation(inputs, waits.PATCH_FORCE) == "true"
            or self.config.get("enablePatchForce") == "true"
            or (dry_run and fields.made_by_create(live))
        )
        adopted = None if dry_run else fields.adopted(live, manager)
        if adopted is not None:
            self.server.patch(live, adopted)
        try:
            return self.server.apply(inputs, manager=manager, force=force, dry_run=dry_run)
        except ApiError as error:
            if error.reason == "Conflict":
                error.args = (fields.conflict(manager, str(error)),)
            raise

    def _create(self, inputs: Object, manager: str, *, dry_run: bool) -> Object:
        if self.config.get("upsertExistingObjects") == "true":
            return self.server.apply(inputs, manager=manager, force=dry_run, dry_run=dry_run)
        return self.server.create(inputs, manager=fields.CREATOR, dry_run=dry_run)


def preview_must_guess(error: ApiError) -> bool:
    """Say whether a refused dry run says nothing about the real run."""
    return (
        error.code == 403
        or error.reason == "AlreadyExists"
        or (error.code == 404 and error.kind == "namespaces")
        or "does not support dry run" in str(error)
    )


def _may_pass(error: ApiError | NoMatchError, *, dry_run: bool) -> bool:
    """Say whether something that is missing may yet come; in a preview no namespace will."""
    if isinstance(error, NoMatchError):
        return True
    return error.code == 404 and not (dry_run and error.kind == "namespaces")
