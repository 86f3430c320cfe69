"""What a Pod finds of Google Cloud: `dns.googleapis.com` with a certificate of its own CA, and the metadata server.

Both are the Cloud DNS emulator (`sandbox/clouddns`). cert-manager's solver has no option for another endpoint.
"""

from sandbox import paths
from sandbox.pki import Authority

DNS_API = "dns.googleapis.com"
ADDRESS = "10.244.0.4"
"""Its own address on the Pods' bridge; the API listens on port 443 and the metadata server on port 80 of it."""
_FOLDER = paths.RUN / "google"
ROOTS = _FOLDER / "ca.crt"
"""What the API's certificate chains to."""

ENVIRONMENT = {"GCE_METADATA_HOST": ADDRESS}
"""Where the metadata server is. At GKE's, 169.254.169.254, Istio would take this for a machine of Google's."""
FILES = {"/etc/ssl/certs/ca-certificates.crt": ROOTS}
"""The trust store of an image."""


def prepare() -> None:
    """Write the CA and the API's certificate below /run/sandbox/google."""
    Authority.create(_FOLDER, "sandbox-google-ca").issue("api", DNS_API, sans=[DNS_API])


def arguments() -> list[str]:
    """Return the emulator's options that make it Google's to Pods."""
    return [
        "--rest-tls", f"{ADDRESS}:443", "--tls-cert", f"{_FOLDER}/api.crt", "--tls-key", f"{_FOLDER}/api.key",
        "--metadata", f"{ADDRESS}:80",
        "--host", f"{DNS_API}={ADDRESS}",
    ]  # fmt: skip
