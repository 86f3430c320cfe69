"""The provider: its configuration, and which class serves which resource."""

from __future__ import annotations

from typing import Final

from sandbox.providers.kubernetes import cluster
from sandbox.providers.kubernetes.apiserver import ApiServer, UnreachableServer
from sandbox.providers.kubernetes.releases import Releases
from sandbox.providers.kubernetes.resources import Resources
from sandbox.providers.kubernetes.schema import schema
from sandbox.providers.rpc import Provider, ProviderError, ResourceType, pb
from sandbox.providers.values import from_struct, reveal

_RELEASE: Final = "kubernetes:helm.sh/v3:Release"


class KubernetesProvider(Provider):
    """Stands in for pulumi-resource-kubernetes."""

    name = "kubernetes"
    version = "4.34.2"

    def get_schema(self, _request: pb.GetSchemaRequest) -> pb.GetSchemaResponse:
        """Describe the kinds that programs in YAML use."""
        return pb.GetSchemaResponse(schema=schema(self.version))

    def diff_config(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """Replace the provider and its resources only when it points at another cluster."""
        changed, replaces = cluster.diff(reveal(from_struct(request.olds)), reveal(from_struct(request.news)))
        changes = pb.DiffResponse.DIFF_SOME if changed else pb.DiffResponse.DIFF_NONE
        return pb.DiffResponse(changes=changes, diffs=changed, replaces=replaces)

    def connect(self, config: dict[str, str]) -> None:
        """Connect to the cluster; the first operation that needs an unreachable one reports it."""
        kubeconfig: cluster.Kubeconfig | None = None
        try:
            kubeconfig = cluster.resolve(config)
            server = ApiServer(kubeconfig)
            server.version()
        except ProviderError as error:
            server = UnreachableServer(str(error))
        namespace = kubeconfig.namespace if kubeconfig else "default"
        force = config.get("enablePatchForce") == "true"
        self._resources = Resources(server, namespace, force=force, engine=self.engine, cancelled=self.cancelled)
        self._releases = Releases(kubeconfig, server, self.engine, self.cancelled)

    def resource_type(self, token: str) -> ResourceType:
        """Return the operations on Helm releases or on objects."""
        return self._releases if token == _RELEASE else self._resources
