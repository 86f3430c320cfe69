"""The provider: its configuration, and who does what."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from sandbox.providers import rpc
from sandbox.providers.kubernetes import config, kubeconfig
from sandbox.providers.kubernetes.apiserver import ApiServer, NoApiServer
from sandbox.providers.kubernetes.kubeconfig import Kubeconfig
from sandbox.providers.kubernetes.objects import token_of
from sandbox.providers.kubernetes.releases import Releases
from sandbox.providers.kubernetes.resources import Resources
from sandbox.providers.rpc import ProviderError
from sandbox.providers.values import from_struct, reveal

_RELEASE: Final = "kubernetes:helm.sh/v3:Release"
_RERUN: Final = 'rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'


class KubernetesProvider(rpc.Provider):
    """Stands in for pulumi-resource-kubernetes."""

    name = "kubernetes"
    version = "4.34.2"

    def diff_config(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """Replace a provider, and all that hangs on it, only when it points at another cluster."""
        found = config.diff(reveal(from_struct(request.olds)), reveal(from_struct(request.news)))
        return pb.DiffResponse(
            changes=pb.DiffResponse.DIFF_SOME if found.changed else pb.DiffResponse.DIFF_NONE,
            diffs=found.changed,
            replaces=found.replaces,
        )

    def configure(self, request: pb.ConfigureRequest) -> pb.ConfigureResponse:
        """Connect to the cluster; one that cannot be reached is told about when it is needed."""
        prefix = "kubernetes:config:"
        given = {key.removeprefix(prefix): value for key, value in request.variables.items()}
        self._drops_unreachable = _flag(given, "deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE")
        self._unreachable = ""
        resolved: Kubeconfig | None = None
        server: ApiServer = NoApiServer()
        try:
            resolved = kubeconfig.resolve(given)
            reached = ApiServer(resolved)
            reached.version()
            server = reached
        except ProviderError as error:
            self._unreachable = f"unable to load schema information from the API server: {error}"
        namespace = resolved.namespace if resolved else "default"
        self._resources = Resources(server, namespace, given, self.engine, self.cancelled)
        self._releases = Releases(resolved, server, self.engine, self.cancelled)
        return super().configure(request)

    def check(self, request: pb.CheckRequest) -> pb.CheckResponse:
        """Complete and validate inputs."""
        return self._of(request.urn).check(request)

    def diff(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """Compare new inputs with a state."""
        return self._of(request.urn).diff(request)

    def create(self, request: pb.CreateRequest) -> pb.CreateResponse:
        """Create a resource, or preview that."""
        self._require_cluster(preview=request.preview)
        return self._of(request.urn).create(request)

    def update(self, request: pb.UpdateRequest) -> pb.UpdateResponse:
        """Update a resource, or preview that."""
        self._require_cluster(preview=request.preview)
        return self._of(request.urn).update(request)

    def read(self, request: pb.ReadRequest) -> pb.ReadResponse:
        """Read a resource as it is, for a refresh, for `.get` and for an import."""
        if self._unreachable:
            self._warn(request.urn)
            if self._drops_unreachable:
                return pb.ReadResponse()
            raise ProviderError(
                "failed to read resource state due to unreachable cluster. If the cluster was deleted, "
                f"you can remove this resource from Pulumi state by {_RERUN}"
            )
        return self._of(request.urn).read(request)

    def delete(self, request: pb.DeleteRequest) -> empty_pb2.Empty:
        """Delete a resource."""
        if self._unreachable:
            self._warn(request.urn)
            if self._drops_unreachable:
                return empty_pb2.Empty()
            raise ProviderError(
                "configured Kubernetes cluster is unreachable. If the cluster was deleted, "
                f"you can remove this resource from Pulumi state by {_RERUN}"
            )
        return self._of(request.urn).delete(request)

    def _of(self, urn: str) -> Resources | Releases:
        return self._releases if token_of(urn) == _RELEASE else self._resources

    def _require_cluster(self, *, preview: bool) -> None:
        if self._unreachable and not preview:
            raise ProviderError(f"configured Kubernetes cluster is unreachable: {self._unreachable}")

    def _warn(self, urn: str) -> None:
        text = f"configured Kubernetes cluster is unreachable: {self._unreachable}"
        self.engine.log(text, urn, severity=rpc.WARNING)


def _flag(given: Mapping[str, str], key: str, variable: str) -> bool:
    return given.get(key, os.environ.get(variable)) == "true"
