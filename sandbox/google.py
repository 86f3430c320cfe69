"""What is of Google's: `dns.googleapis.com` and the metadata server for Pods, and GKE's control planes.

The first two are the Cloud DNS emulator (`sandbox/googlecloud`). cert-manager's solver has no
option for another endpoint.
"""

from sandbox import network, paths
from sandbox.pki import Authority

DNS_API = "dns.googleapis.com"
ADDRESS = "10.244.0.4"
"""Its own address on the Pods' bridge; the API listens on port 443 and the metadata server on port 80 of it."""
_FOLDER = paths.RUN / "google"
ROOTS = _FOLDER / "ca.crt"
"""What certificates of Google's chain to, the API's and those of control planes by their names."""

REGION = "europe-west1"
"""Of GKE clusters."""
CONTROL_PLANE = _FOLDER / "control-plane.crt"
"""The API server's certificate for the names of the clusters' DNS endpoints; its key lies beside it."""
PRIVATE_ENDPOINT = "10.244.0.99"
"""Of GKE clusters: nobody has it."""

ENVIRONMENT = {"GCE_METADATA_HOST": ADDRESS}
"""Where the metadata server is. At GKE's, 169.254.169.254, Istio would take this for a machine of Google's."""
FILES = {"/etc/ssl/certs/ca-certificates.crt": ROOTS}
"""The trust store of an image."""


def prepare() -> None:
    """Write the CA, the API's certificate and that of control planes below /run/sandbox/google."""
    authority, endpoints = Authority.create(_FOLDER, "sandbox-google-ca"), f"*.{REGION}.gke.goog"
    authority.issue("api", DNS_API, sans=[DNS_API])
    authority.issue(CONTROL_PLANE.stem, endpoints, sans=[endpoints])


def arguments() -> list[str]:
    """Return the emulator's options that make it Google's to Pods."""
    return [
        "--rest-tls", f"{ADDRESS}:443", "--tls-cert", f"{_FOLDER}/api.crt", "--tls-key", f"{_FOLDER}/api.key",
        "--metadata", f"{ADDRESS}:80",
        "--host", f"{DNS_API}={ADDRESS}",
        "--control-plane", network.KUBERNETES, PRIVATE_ENDPOINT, REGION, f"{paths.PKI}/ca.crt",
    ]  # fmt: skip
