"""Serve the stand-in: `pulumi-resource-gcp ENGINE-ADDRESS`."""

from sandbox.providers.gcp.provider import GcpProvider
from sandbox.providers.rpc import serve

if __name__ == "__main__":
    serve(GcpProvider)
