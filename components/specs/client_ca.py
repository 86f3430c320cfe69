"""The CA whose client certificates a gateway asks for."""

import ssl
import time
from typing import Any

SUFFIX = "-cacert"
"""istiod takes a Secret for a CA's by the end of the name that it is asked for, and otherwise looks for a key in it.

A name with this end that is no Secret is looked for without it (istio: pilot/pkg/credentials/kube, GetCaCert).
"""

ENTRY = "ca.crt"
"""Of the Secret; istiod takes `cacert` as well."""

_BEGIN = "-----BEGIN "


def is_pem(given: str) -> bool:
    """Tell certificates from the name of a Secret."""
    return _BEGIN in given


def reference(secret: str) -> str:
    """Return what `caCertCredentialName` has to be for a Secret."""
    return secret if secret.endswith(SUFFIX) else f"{secret}{SUFFIX}"


def certificates(given: Any) -> str:
    """Take PEM certificates of a CA, none of them expired."""
    if not isinstance(given, str) or not is_pem(given):
        raise ValueError("is not PEM")
    if "PRIVATE KEY" in given:
        raise ValueError("has a private key, which the gateway has no use for: replace it, the stack's file had it")
    store = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        store.load_verify_locations(cadata=given)
    except (ssl.SSLError, ValueError):
        # A text that is not ASCII is none of OpenSSL's errors.
        raise ValueError("is not PEM") from None
    found = store.cert_store_stats()
    if found["x509_ca"] < found["x509"]:
        raise ValueError("has a certificate that is not a CA's, and so cannot sign those of clients")
    if any(ssl.cert_time_to_seconds(str(each["notAfter"])) < time.time() for each in store.get_ca_certs()):
        raise ValueError("has a certificate that has expired")
    return given
