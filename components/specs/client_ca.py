"""The CA whose client certificates a gateway asks for."""

import ssl
import time

SUFFIX = "-cacert"
"""istiod recognises the Secret of a CA by the end of the name in the reference; otherwise it looks for a key in it.

A name with this end that is no Secret is looked for without it (istio: pilot/pkg/credentials/kube, GetCaCert).
"""

ENTRY = "ca.crt"
"""Of the Secret; istiod takes `cacert` as well."""

_BEGIN = "-----BEGIN "


def is_pem(text: str) -> bool:
    """Tell certificates from the name of a Secret."""
    return _BEGIN in text


def reference(secret: str) -> str:
    """Return what `caCertCredentialName` has to be for a Secret."""
    return secret if secret.endswith(SUFFIX) else f"{secret}{SUFFIX}"


def pem(text: str) -> str:
    """Return PEM certificates as they are."""
    _store(text)
    return text


def _store(pem: str) -> ssl.SSLContext:
    store = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        store.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError, TypeError):
        # A text that is not ASCII is none of OpenSSL's errors, and ssl refuses it by its type.
        raise ValueError("is not PEM") from None
    return store


def certificates(pem: str) -> str:
    """Return PEM certificates of a CA, none of them expired."""
    if not is_pem(pem):
        raise ValueError("is not PEM")
    if "PRIVATE KEY" in pem:
        raise ValueError("has a private key, which the gateway does not need: replace the key, it is no longer secret")
    store = _store(pem)
    loaded = store.cert_store_stats()
    if loaded["x509_ca"] < loaded["x509"]:
        raise ValueError("has a certificate that is not a CA's, and so cannot sign those of clients")
    ends = [ssl.cert_time_to_seconds(str(certificate["notAfter"])) for certificate in store.get_ca_certs()]
    if any(end < time.time() for end in ends):
        raise ValueError("has a certificate that has expired")
    return pem
