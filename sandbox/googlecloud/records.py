"""Record sets, the unit of Cloud DNS, and their validation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.SOA
from dns.name import Name
from dns.rdata import Rdata
from dns.rdatatype import RdataType

from sandbox.googlecloud.errors import ApiError, invalid, required

IN = dns.rdataclass.IN

_NAMES = ("A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "NS", "SOA", "SVCB", "TXT")
TYPES = frozenset(RdataType[name] for name in _NAMES)
"""The types of Cloud DNS that a stack or its neighbours may have; there are more, ALIAS and SRV for two."""

MAX_TTL = 2**31 - 1  # RFC 2181, section 8
_LABEL = re.compile(r"\*|[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


@dataclass(frozen=True)
class RecordSet:
    """The records of one name and type, which share a TTL.

    Attributes:
        name: absolute and in lower case.
        ttl: seconds.
    """

    name: Name
    type: RdataType
    ttl: int
    rdatas: tuple[Rdata, ...]

    @property
    def key(self) -> tuple[Name, RdataType]:
        """The identity of the record set in a zone."""
        return self.name, self.type

    @property
    def title(self) -> str:
        """The name in the API's messages."""
        return f"{self.name} ({self.type.name})"

    def matches(self, other: RecordSet) -> bool:
        """Return whether both are the same, in whatever order their records are."""
        return (self.key, self.ttl, set(self.rdatas)) == (other.key, other.ttl, set(other.rdatas))

    def resource(self) -> dict[str, Any]:
        """Return the `ResourceRecordSet` of the API."""
        return {
            "kind": "dns#resourceRecordSet",
            "name": str(self.name),
            "type": self.type.name,
            "ttl": self.ttl,
            "rrdatas": [rdata.to_text() for rdata in self.rdatas],
            "signatureRrdatas": [],
        }


def at(record_sets: Mapping[tuple[Name, RdataType], RecordSet], name: Name) -> dict[RdataType, RecordSet]:
    """Return the record sets of a name by type."""
    return {rdtype: record_sets[name, rdtype] for rdtype in TYPES if (name, rdtype) in record_sets}


def parse_name(text: object, path: str) -> Name:
    """Return an absolute DNS name; only its first label may be `*`.

    Raises:
        ApiError: the text at `path` of the request is not one.
    """
    if not isinstance(text, str) or not text.endswith(".") or not text.isascii():
        raise invalid(path, text)
    try:
        name = dns.name.from_text(text).canonicalize()
    except dns.exception.DNSException:
        raise invalid(path, text) from None
    labels = text[:-1].split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or "*" in labels[1:]:
        raise invalid(path, text)
    return name


def parse_record_set(body: object, path: str, origin: Name) -> RecordSet:
    """Return the record set that a `ResourceRecordSet` for the zone of `origin` describes.

    Raises:
        ApiError: it is invalid; the message names the field by its `path` in the request.
    """
    if not isinstance(body, Mapping):
        raise required(path)
    for field in ("name", "type"):
        if not body.get(field):
            raise required(f"{path}.{field}")
    name = parse_name(body["name"], f"{path}.name")
    if not name.is_subdomain(origin):
        raise invalid(f"{path}.name", body["name"])
    rdtype = parse_type(body["type"], f"{path}.type")
    ttl = body.get("ttl", 0)
    if not isinstance(ttl, int) or not 0 <= ttl <= MAX_TTL:
        raise invalid(f"{path}.ttl", ttl)
    if body.get("routingPolicy"):
        raise ApiError(501, "notImplemented", "This emulator has no routing policies.")
    texts = body.get("rrdatas")
    if not isinstance(texts, list) or not texts:
        raise invalid(f"{path}.rrdata", "<empty>")
    rdatas = tuple(_parse_rdata(rdtype, text, f"{path}.rrdata[{i}]") for i, text in enumerate(texts))
    _check_shape(name, rdtype, rdatas, path, origin)
    return RecordSet(name, rdtype, ttl, rdatas)


def parse_type(text: object, path: str) -> RdataType:
    """Return a record type.

    Raises:
        ApiError: the type is not served.
    """
    rdtype = RdataType.__members__.get(text) if isinstance(text, str) else None
    if rdtype not in TYPES or rdtype is None:
        raise invalid(path, text)
    return rdtype


def _parse_rdata(rdtype: RdataType, text: object, path: str) -> Rdata:
    if not isinstance(text, str):
        raise invalid(path, text)
    try:
        rdata = dns.rdata.from_text(IN, rdtype, text, relativize=False, origin=None)
        rdata.to_wire()  # fails for a name without its final dot
    except (dns.exception.DNSException, ValueError):
        raise invalid(path, text) from None
    return rdata


def _check_shape(name: Name, rdtype: RdataType, rdatas: tuple[Rdata, ...], path: str, origin: Name) -> None:
    """Check the rules that do not depend on the rest of the zone."""
    if rdtype in (RdataType.CNAME, RdataType.SOA) and len(rdatas) > 1:
        message = f"is only permitted to have one record because it is of type {rdtype.name}."
        raise ApiError(400, "invalidRecordCount", f"The resource record set '{path}' {message}")
    if rdtype == RdataType.SOA and name != origin:
        raise apex_violation(path, rdtype)


def apex_violation(path: str, rdtype: RdataType) -> ApiError:
    """The zone would lose its NS or SOA record set, or get a second SOA."""
    rule = f"a zone must contain exactly one resource record set of type '{rdtype.name}' at the apex."
    return ApiError(400, "invalidZoneApex", f"The resource record set '{path}' is invalid because {rule}")
