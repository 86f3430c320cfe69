"""Serve the stand-in: `pulumi-resource-kubernetes ENGINE-ADDRESS`."""

from sandbox.providers.kubernetes.provider import KubernetesProvider
from sandbox.providers.rpc import serve

if __name__ == "__main__":
    serve(KubernetesProvider)
