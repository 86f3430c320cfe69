"""The CA whose client certificates a gateway asks for."""

import datetime
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
    # Loaded for whoever has such a CA alone.
    from cryptography import x509

    if not isinstance(given, str) or not is_pem(given):
        raise ValueError("is not PEM")
    if "PRIVATE KEY" in given:
        raise ValueError("has a private key, which the gateway has no use for: replace it, the stack's file had it")
    try:
        found = x509.load_pem_x509_certificates(given.encode())
    except ValueError:
        raise ValueError("is not PEM") from None
    for each in found:
        try:
            authority = each.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            authority = False
        if not authority:
            raise ValueError("has a certificate that is not a CA's, and so cannot sign those of clients")
        if each.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
            raise ValueError("has a certificate that has expired")
    return given
