"""Names: of hosts, of Kubernetes objects, and the e-mail address behind an ACME account.

What is checked is returned normalised, or refused by a ValueError whose text is the reason alone: the key, the value
and the command are added where problems are reported.
"""

import re

MAX_NAME = 253
"""Characters in a DNS name without its trailing dot (RFC 1035, section 2.3.4)."""

MAX_LABEL = 63
"""Characters in a DNS label, and in the name of a Kubernetes Service or namespace."""

WILDCARD = "*."

ALL_HOSTS = "*"
"""Stands for every host, in Istio's objects alone."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PLACEHOLDER = re.compile(r"(change|replace|fill)-?_?me|(your|my)-?_?(domain|company|org|project|host)|todo")
_RESERVED_DOMAINS = {"example.com", "example.net", "example.org"}
_RESERVED_TLDS = {"example", "invalid", "localhost"}


def dns_name(value: str) -> str:
    """Normalise a host: lower case, no trailing dot, IDN encoded (IDNA 2008); `*.` may lead it.

    `.test` is accepted, for servers that are not public. The names that RFC 2606 sets aside for documentation are
    not: no public ACME server signs them.
    """
    star, name = (WILDCARD, value[2:]) if is_wildcard(value) else ("", value)
    name = name.removesuffix(".")
    if not name:
        raise ValueError("is empty")
    if not name.isascii():
        # Loaded for such names alone: its tables are large.
        import idna

        try:
            name = idna.encode(name, uts46=True).decode()
        except idna.IDNAError as error:
            raise ValueError(f"is not an international domain name: {error}") from None
    name = name.lower()
    if len(star + name) > MAX_NAME:
        raise ValueError(f"has {len(star + name)} characters, a DNS name has at most {MAX_NAME}")
    labels = name.split(".")
    for label in labels:
        if len(label) > MAX_LABEL:
            raise ValueError(f"has a label of {len(label)} characters, a DNS label has at most {MAX_LABEL}")
        if not _LABEL.fullmatch(label):
            raise ValueError(f"has the label {label!r}, which is not letters, digits and inner hyphens")
    if len(labels) < 2 or labels[-1].isdigit():
        raise ValueError("is not a full DNS name")
    _refuse_reserved(labels)
    return star + refuse_placeholder(name)


def domain(value: str) -> str:
    """Normalise a DNS name that is no wildcard."""
    if is_wildcard(value):
        raise ValueError("is a wildcard")
    return dns_name(value)


def is_wildcard(host: str) -> bool:
    """Tell whether a host stands for all names one label below a domain."""
    return host.startswith(WILDCARD)


def without_wildcard(host: str) -> str:
    """Return the domain of a wildcard; any other host as it is."""
    return host.removeprefix(WILDCARD)


def challenge_name(host: str) -> str:
    """Return the name of the TXT record that proves a host by DNS-01 (RFC 8555, section 8.4)."""
    return f"_acme-challenge.{without_wildcard(host)}"


def challenge_target(host: str, domain: str) -> str:
    """Return the name below `domain` that a host is proven by, where its own leads to another zone."""
    return f"{without_wildcard(host)}.{domain}"


def covers(name: str, host: str) -> bool:
    """Tell whether a certificate's name is good for a host.

    A wildcard stands for exactly one label (RFC 9525, section 6.3); case and a trailing dot do not count. A wildcard
    host is covered by the same wildcard alone.
    """
    name, host = _plain(name), _plain(host)
    return name == host or (
        is_wildcard(name) and not is_wildcard(host) and host.partition(".")[2] == name.removeprefix(WILDCARD)
    )


def matches(name: str, host: str) -> bool:
    """Tell whether Istio gives a host's requests to a name: the same one, or a wildcard however many labels above."""
    name, host = _plain(name), _plain(host)
    return name == host or (is_wildcard(name) and host.endswith(name.removeprefix("*")))


def common_host(one: str, other: str) -> str | None:
    """Return the narrower of two hosts in Istio of which one includes the other, or None; `*` includes every host."""
    one, other = _plain(one), _plain(other)
    for broad, narrow in ((one, other), (other, one)):
        if broad == ALL_HOSTS or matches(broad, narrow):
            return narrow
    return None


def lies_in(domain: str, host: str) -> bool:
    """Tell whether a host can be a record of the zone of `domain`: the domain itself, or a name below it."""
    return f".{_plain(host)}".endswith(f".{_plain(domain)}")


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


def email_address(value: str) -> str:
    """Normalise an e-mail address that an ACME server takes as a contact; it is never looked up."""
    from email_validator import EmailNotValidError, validate_email

    try:
        address = validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {str(error).rstrip('.')}") from None
    _refuse_reserved(address.ascii_domain.lower().split("."))
    return refuse_placeholder(address.normalized)


def refuse_placeholder(value: str) -> str:
    """Return `value`, unless it is what a template leaves to be filled in (`change-me`, `your-domain.com`)."""
    if any(_PLACEHOLDER.fullmatch(part) for part in re.split(r"[.@/]", value.lower())):
        raise ValueError("is a placeholder")
    return value


def kubernetes_name(value: str) -> str:
    """Check the name of a namespace, a Service or a Secret (RFC 1123 label)."""
    if not _LABEL.fullmatch(value):
        raise ValueError(f"is not a Kubernetes name: at most {MAX_LABEL} of a-z, 0-9 and inner hyphens")
    return value


def object_name(host: str) -> str:
    """Return a Kubernetes object's name for a host: itself, or for a wildcard `DOMAIN-wildcard`."""
    return f"{host.removeprefix(WILDCARD)}-wildcard" if is_wildcard(host) else host


def service_host(service: str, namespace: str) -> str:
    """Return the host name of a Service in its cluster."""
    return f"{service}.{namespace}.svc.cluster.local"


def object_reference(value: str) -> str:
    """Take the name of a Kubernetes object (RFC 1123 subdomain), with its namespace before it or without."""
    namespace, slash, name = value.rpartition("/")
    is_name = len(name) <= MAX_NAME and all(map(_LABEL.fullmatch, name.split(".")))
    if not is_name or (slash and not _LABEL.fullmatch(namespace)):
        raise ValueError("is not NAME or NAMESPACE/NAME of a Kubernetes object")
    return value


def route_namespace(value: str) -> str:
    """Check a namespace whose routes a Gateway accepts; `*` stands for all."""
    return value if value == "*" else kubernetes_name(value)


def stack_suffix(stack: str) -> str:
    """Return a stack's name as Kubernetes names take it: stacks may have capitals and underscores."""
    return re.sub(r"[^a-z0-9]+", "-", stack.lower()).strip("-")


def role_id(prefix: str, stack: str) -> str:
    """Return the id of a stack's custom role in Google Cloud, at most 64 characters: no hyphens in it."""
    return f"{prefix}_{re.sub(r'[^A-Za-z0-9_.]', '_', stack)}"[:64]


def _refuse_reserved(labels: list[str]) -> None:
    domain = ".".join(labels[-2:])
    if domain in _RESERVED_DOMAINS or labels[-1] in _RESERVED_TLDS:
        reserved = domain if domain in _RESERVED_DOMAINS else f".{labels[-1]}"
        raise ValueError(f"lies in {reserved}, which is reserved for documentation: Let's Encrypt refuses it")
