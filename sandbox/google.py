"""Addresses and certificates of the Google Cloud emulator (`sandbox/googlecloud`), for the parts that talk to it.

Pods reach it as `dns.googleapis.com` and as the metadata server: cert-manager's solver knows no other endpoint.
"""

from sandbox import paths
from sandbox.pki import Authority

PROJECT = "sandbox"
ZONE = "sandbox"
"""The managed zone of the domain `acme.ZONE`."""
REST = ("127.0.0.1", 8053)
"""Where the APIs are served over plain HTTP, for the sandbox itself."""
DNS_API = "dns.googleapis.com"
ADDRESS = "10.244.0.4"
"""The emulator's address on the Pods' bridge: the API on port 443, the metadata server on port 80."""
_FOLDER = paths.RUN / "google"
ROOTS = _FOLDER / "ca.crt"
"""The CA of the API's certificate and of the control planes' certificates for DNS endpoints."""
API_CERTIFICATE = _FOLDER / "api.crt"
"""The API's certificate, beside its key `api.key`."""

REGION = "europe-west1"
"""The region of GKE clusters."""
CONTROL_PLANE = _FOLDER / "control-plane.crt"
"""The API server's certificate for the names of DNS endpoints, beside its key."""
PRIVATE_ENDPOINT = "10.244.0.99"
"""The private endpoint of GKE clusters, at which nobody answers."""

ENVIRONMENT = {"GCE_METADATA_HOST": ADDRESS}
"""Where Pods find the metadata server. At GKE's 169.254.169.254, Istio would take this for a Google machine."""
FILES = {"/etc/ssl/certs/ca-certificates.crt": ROOTS}
"""The trust store of an image."""


def prepare() -> None:
    """Write the CA and the two certificates below /run/sandbox/google."""
    authority, endpoints = Authority.create(_FOLDER, "sandbox-google-ca"), f"*.{REGION}.gke.goog"
    authority.issue(API_CERTIFICATE.stem, DNS_API, sans=[DNS_API])
    authority.issue(CONTROL_PLANE.stem, endpoints, sans=[endpoints])
