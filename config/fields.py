"""The kinds of values that a config has, and what its sections have in common.

Each field says with `description` what is accepted and with `examples` what the command that fixes it sets; the report
of a bad config is made from both. A key that is not here is an error, so nothing is accepted and then ignored.
"""

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from components.fields import google_name, line, object_labels
from components.specs import cert_manager, tls
from components.specs.names import dns_name, domain, kubernetes_name, refuse_placeholder


def pem(value: str) -> str:
    """Return PEM certificates as they are."""
    # Few configs have certificates, and this takes longer to load than the rest of the settings' own.
    from cryptography import x509

    try:
        x509.load_pem_x509_certificates(value.encode())
    except ValueError:
        raise ValueError("is not PEM") from None
    return value


def https(value: str) -> str:
    """Return an https:// URL as it is."""
    if not re.fullmatch(r"https://[A-Za-z0-9\[][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*", value):
        raise ValueError("is not an https:// URL")
    return value


def text(value: Any) -> Any:
    """Return a kubeconfig as text: a stack file may hold its content as an object."""
    return json.dumps(value) if isinstance(value, dict) else value


CipherSuite = Annotated[str, AfterValidator(tls.cipher_suite)]
Digest = Annotated[str, AfterValidator(cert_manager.check_digest)]
Domain = Annotated[str, AfterValidator(domain)]
GoogleName = Annotated[str, AfterValidator(google_name), AfterValidator(refuse_placeholder)]
Line = Annotated[str, AfterValidator(line)]
Identifier = Annotated[Line, Field(min_length=1), AfterValidator(refuse_placeholder)]
Labels = Annotated[dict[str, str], AfterValidator(object_labels)]
HostName = Annotated[str, AfterValidator(dns_name)]
KubernetesName = Annotated[str, AfterValidator(kubernetes_name)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[int, Field(ge=1, le=3600)]
Url = Annotated[str, AfterValidator(https)]


class Section(BaseModel):
    """The base of every section: camelCase keys, no unknown ones, frozen; a key that is null is not set."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        known = {field.alias for field in cls.model_fields.values()}
        return {key: value for key, value in raw.items() if value is not None or key not in known}
