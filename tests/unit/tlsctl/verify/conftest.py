"""Name servers and a resolver without a network."""

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest

from tests.unit.tlsctl.verify.support import IP
from tlsctl.verify.records import Lookups, make_resolver

SERVER = "192.0.2.53"


class Dns:
    """What the servers answer, and the questions that they got."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent: set[str] = set()
        self.address = IP
        self.ipv6 = "2001:db8::1"
        self.types = ["A"]
        """Of the records that the zone has."""
        self.caa: dict[str, str] = {}
        """By name."""

    def lookups(self) -> Lookups:
        resolver = make_resolver("192.0.2.1")
        resolver.resolve = self.resolve  # type: ignore[method-assign, assignment]
        return Lookups(resolver)

    def zone_for_name(self, name: dns.name.Name, **_: object) -> dns.name.Name:
        self._ask("resolver", f"SOA {name}")
        return dns.name.from_text("acme.dev")

    def resolve(self, name: object, kind: str) -> dns.resolver.Answer:
        self._ask("resolver", f"{kind} {name}")
        full = dns.name.from_text(str(name))
        if kind == "CAA" and str(full).rstrip(".") not in self.caa:
            raise dns.resolver.NXDOMAIN
        host = SERVER if str(name).startswith("ns1") else self.address
        caa = self.caa.get(str(full).rstrip("."))
        data = {"NS": "ns1.acme.dev.", "A": host, "AAAA": self.ipv6, "CAA": caa}[kind]
        answer = dns.message.make_response(dns.message.make_query(full, kind))
        answer.answer = [dns.rrset.from_text(full, 60, "IN", kind, str(data))]
        question, received = answer.question[0], dns.message.from_wire(answer.to_wire())
        assert isinstance(received, dns.message.QueryMessage)
        return dns.resolver.Answer(full, question.rdtype, question.rdclass, received)

    def udp(self, question: dns.message.Message, address: str, **_: object) -> tuple[dns.message.Message, bool]:
        asked = question.question[0]
        kind = dns.rdatatype.to_text(asked.rdtype)
        self._ask(address, f"{kind} {asked.name}")
        answer = dns.message.make_response(question)
        data = self.ipv6 if kind == "AAAA" else self.address
        if kind in self.types:
            answer.answer = [dns.rrset.from_text(asked.name, 60, "IN", kind, data)]
        return answer, False

    def _ask(self, server: str, question: str) -> None:
        self.asked.append(f"{server} {question}")
        if server in self.silent:
            raise dns.exception.Timeout


@pytest.fixture
def dns_(monkeypatch: pytest.MonkeyPatch) -> Dns:
    fake = Dns()
    monkeypatch.setattr(dns.resolver, "zone_for_name", fake.zone_for_name)
    monkeypatch.setattr(dns.query, "udp_with_fallback", fake.udp)
    return fake
