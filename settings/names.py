"""DNS names and e-mail addresses, as a public ACME server takes them.

Every function returns the normalised value or raises ValueError with the reason alone: the key, the value and the
command that mends it are added where all problems are reported together (settings/problems.py).
"""

import re

import idna
from email_validator import EmailNotValidError, validate_email

MAX_NAME = 253
"""Characters in a DNS name without its trailing dot (RFC 1035, section 2.3.4)."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PLACEHOLDER = re.compile(r"(change|replace|fill)-?_?me|(your|my)-?_?(domain|company|org|project|host)|todo")
_RESERVED_DOMAINS = {"example.com", "example.net", "example.org"}
_RESERVED_TLDS = {"example", "invalid", "localhost"}


def refuse_placeholder(value: str) -> str:
    """Return `value`, unless it is what a template leaves to be filled in (`change-me`, `your-domain.com`)."""
    if any(_PLACEHOLDER.fullmatch(part) for part in re.split(r"[.@/]", value.lower())):
        raise ValueError("is a placeholder")
    return value


def dns_name(value: str) -> str:
    """Normalise a host: lower case, no trailing dot, IDN encoded (IDNA 2008); `*.` may lead it.

    `.test` is accepted, for servers that are not public. The names that RFC 2606 sets aside for documentation are
    not: no public ACME server signs them.
    """
    star, name = ("*.", value[2:]) if value.startswith("*.") else ("", value)
    name = name.removesuffix(".")
    if not name:
        raise ValueError("is empty")
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode()
        except idna.IDNAError as error:
            raise ValueError(f"is not an international domain name: {error}") from None
    name = name.lower()
    if len(star + name) > MAX_NAME:
        raise ValueError(f"has {len(star + name)} characters, a DNS name has at most {MAX_NAME}")
    labels = name.split(".")
    for label in labels:
        if len(label) > 63:
            raise ValueError(f"has a label of {len(label)} characters, a DNS label has at most 63")
        if not _LABEL.fullmatch(label):
            raise ValueError(f"has the label {label!r}, which is not letters, digits and inner hyphens")
    if len(labels) < 2 or labels[-1].isdigit():
        raise ValueError("is not a full DNS name")
    _refuse_reserved(labels)
    return star + refuse_placeholder(name)


def email_address(value: str) -> str:
    """Normalise an e-mail address that an ACME server takes as a contact; it is never looked up."""
    try:
        address = validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {str(error).rstrip('.')}") from None
    _refuse_reserved(address.ascii_domain.lower().split("."))
    return refuse_placeholder(address.normalized)


def _refuse_reserved(labels: list[str]) -> None:
    domain = ".".join(labels[-2:])
    if domain in _RESERVED_DOMAINS or labels[-1] in _RESERVED_TLDS:
        raise ValueError(
            f"lies in {domain if domain in _RESERVED_DOMAINS else '.' + labels[-1]}, which is reserved for"
            " documentation: Let's Encrypt refuses it"
        )
