"""The Cloud DNS emulator as a DNS server: what a resolver sees of the zones."""

from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from dns.message import Message

from sandbox.googlecloud.authority import Authority
from sandbox.googlecloud.records import parse_record_set
from sandbox.googlecloud.server import DnsServer, respond
from sandbox.googlecloud.zones import StaticZone, Zones

BIG = [f'"{i}-{"x" * 200}"' for i in range(20)]
RECORDS = [
    ("shop", "A", "203.0.113.10"),
    ("a.b", "A", "203.0.113.10"),
    ("*.wild", "A", "203.0.113.1"),
    ("own.wild", "TXT", "x"),
    ("www", "CNAME", "shop.sandbox.test."),
    ("loop", "CNAME", "back.sandbox.test."),
    ("back", "CNAME", "loop.sandbox.test."),
    ("dangling", "CNAME", "gone.sandbox.test."),
    ("big", "TXT", *BIG),
]


def emulator() -> Authority:
    zones = Zones("sandbox")
    zone = zones.create({"name": "sandbox", "dnsName": "sandbox.test.", "description": ""})
    for name, rdtype, *rrdatas in RECORDS:
        body = {"name": f"{name}.sandbox.test.", "type": rdtype, "ttl": 60, "rrdatas": rrdatas}
        zone.apply([parse_record_set(body, "x", zone.origin)], [], "x")
    static = StaticZone.host("acme.sandbox.test.", ["10.244.0.2"])
    return Authority(lambda: [static, *zones])


AUTHORITY = emulator()


def ask(name: str, rdtype: str = "A", **options: Any) -> Message:
    name = name if name.endswith(".") else f"{name}.sandbox.test."
    return dns.message.from_wire(
        respond(AUTHORITY, dns.message.make_query(name, rdtype, **options).to_wire(), udp=True)
    )


def texts(response: Message) -> list[str]:
    return sorted(rdata.to_text() for rrset in response.answer for rdata in rrset)


@pytest.mark.parametrize(
    ("name", "rdtype", "rcode", "answer", "authority"),
    [
        ("shop", "A", "NOERROR", ["203.0.113.10"], []),
        ("gone", "A", "NXDOMAIN", [], ["SOA"]),
        ("a.b", "AAAA", "NOERROR", [], ["SOA"]),
        ("b", "A", "NOERROR", [], ["SOA"]),  # a name without records, above one that has some
        ("any.thing.wild", "A", "NOERROR", ["203.0.113.1"], []),
        ("own.wild", "A", "NOERROR", [], ["SOA"]),  # a wildcard does not cover a name with other records
        ("below.own.wild", "A", "NXDOMAIN", [], ["SOA"]),  # nor the names below it (RFC 4592)
        ("www", "A", "NOERROR", ["203.0.113.10", "shop.sandbox.test."], []),
        ("dangling", "A", "NXDOMAIN", ["gone.sandbox.test."], ["SOA"]),  # of the last name (RFC 6604)
        ("acme", "A", "NOERROR", ["10.244.0.2"], []),
        ("acme", "AAAA", "NOERROR", [], ["SOA"]),
        ("example.org.", "A", "NXDOMAIN", [], []),
    ],
)
def test_a_query_is_answered_by_the_rules_of_dns(
    name: str, rdtype: str, rcode: str, answer: list[str], authority: list[str]
) -> None:
    response = ask(name, rdtype)
    assert (dns.rcode.to_text(response.rcode()), texts(response)) == (rcode, answer)
    assert [rrset.rdtype.name for rrset in response.authority] == authority


def test_an_answer_has_the_name_that_was_asked_and_says_who_is_the_authority() -> None:
    response = ask("ShOp.SaNdBoX.tEsT.")
    assert response.answer[0].ttl == 60
    assert response.flags & dns.flags.AA, "this server is the authority"
    assert response.question[0].name.labels[0] == b"ShOp", "resolvers that use 0x20 compare it"
    assert str(ask("any.thing.wild").answer[0].name) == "any.thing.wild.sandbox.test.", "not the wildcard"
    assert ask("gone").authority[0].ttl == 300, "the TTL of a negative answer is the SOA's minimum (RFC 2308)"


def test_a_loop_of_aliases_ends() -> None:
    assert ask("loop").rcode() == dns.rcode.SERVFAIL


def test_an_answer_too_large_for_udp_is_cut_and_whole_over_tcp() -> None:
    for edns in (False, True):
        assert ask("big", "TXT", use_edns=edns).flags & dns.flags.TC, "the client must know to ask again over TCP"
    server = DnsServer(AUTHORITY, "127.0.0.1", 0)
    server.start()
    query = dns.message.make_query("big.sandbox.test.", "TXT")
    assert texts(dns.query.tcp(query, "127.0.0.1", port=server.port, timeout=10)) == sorted(BIG)
