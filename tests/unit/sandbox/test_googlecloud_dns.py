"""The Cloud DNS emulator as a DNS server: what a resolver sees of the zones."""

from collections.abc import Iterator
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from dns.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.googlecloud.authority import Authority
from sandbox.googlecloud.cluster import ORIGIN, service_record_sets
from sandbox.googlecloud.records import parse_record_set
from sandbox.googlecloud.server import DnsServer, respond
from sandbox.googlecloud.zones import ManagedZone, StaticZone, Zones

TIMEOUT = 10  # seconds, on loopback


class Dns:
    """A running server and the zone `sandbox.test.` behind it."""

    def __init__(self) -> None:
        zones = Zones("sandbox")
        body = {"name": "sandbox", "dnsName": "sandbox.test.", "description": ""}
        self.zone: ManagedZone = zones.create(body)
        self.static = [StaticZone.host("acme.sandbox.test.", ["10.244.0.2"])]
        self.authority = Authority(lambda: [*self.static, *zones])
        self.server = DnsServer(self.authority, "127.0.0.1", 0)
        self.server.start()

    def add(self, name: str, rdtype: str, *rrdatas: str, ttl: int = 60) -> None:
        body = {"name": name, "type": rdtype, "ttl": ttl, "rrdatas": list(rrdatas)}
        self.zone.apply([parse_record_set(body, "x", self.zone.origin)], [], "x")

    def ask(self, name: str, rdtype: str = "A", *, tcp: bool = False, **options: Any) -> Message:
        query = dns.message.make_query(name, rdtype, **options)
        send = dns.query.tcp if tcp else dns.query.udp
        return send(query, "127.0.0.1", port=self.server.port, timeout=TIMEOUT)


@pytest.fixture
def server() -> Iterator[Dns]:
    dns_server = Dns()
    yield dns_server
    dns_server.server.stop()


def texts(response: Message) -> list[str]:
    return sorted(rdata.to_text() for rrset in response.answer for rdata in rrset)


def authority_types(response: Message) -> list[str]:
    return [rrset.rdtype.name for rrset in response.authority]


def test_the_case_of_a_query_is_kept_and_does_not_matter(server: Dns) -> None:
    server.add("shop.sandbox.test.", "A", "203.0.113.10", ttl=123)
    response = server.ask("ShOp.SaNdBoX.tEsT.")
    assert texts(response) == ["203.0.113.10"]
    assert response.answer[0].ttl == 123
    assert response.flags & dns.flags.AA, "this server is the authority"
    assert response.question[0].name.labels[0] == b"ShOp", "resolvers that use 0x20 compare it"


def test_a_name_that_is_not_there_differs_from_a_type_that_is_not_there(server: Dns) -> None:
    server.add("a.b.sandbox.test.", "A", "203.0.113.10")
    missing = server.ask("x.sandbox.test.")
    assert (missing.rcode(), authority_types(missing)) == (dns.rcode.NXDOMAIN, ["SOA"])
    assert missing.authority[0].ttl == 300, "the TTL of a negative answer is the SOA's minimum (RFC 2308)"
    for name, rdtype in (("a.b.sandbox.test.", "AAAA"), ("b.sandbox.test.", "A")):
        empty = server.ask(name, rdtype)
        assert (empty.rcode(), texts(empty), authority_types(empty)) == (dns.rcode.NOERROR, [], ["SOA"]), name


def test_wildcards_answer_for_names_that_do_not_exist_only(server: Dns) -> None:
    server.add("*.sandbox.test.", "A", "203.0.113.1")
    server.add("own.sandbox.test.", "TXT", "x")
    response = server.ask("any.thing.sandbox.test.")
    assert texts(response) == ["203.0.113.1"]
    assert str(response.answer[0].name) == "any.thing.sandbox.test.", "the owner is the name that was asked"
    assert texts(server.ask("own.sandbox.test.")) == [], "a name with other records is not covered"
    below = server.ask("below.own.sandbox.test.")
    assert below.rcode() == dns.rcode.NXDOMAIN, "nor is what is below it (RFC 4592)"


def test_aliases_are_followed_inside_and_their_loops_end(server: Dns) -> None:
    server.add("www.sandbox.test.", "CNAME", "shop.sandbox.test.")
    server.add("shop.sandbox.test.", "A", "203.0.113.10")
    assert texts(server.ask("www.sandbox.test.")) == ["203.0.113.10", "shop.sandbox.test."]
    server.add("a.sandbox.test.", "CNAME", "b.sandbox.test.")
    server.add("b.sandbox.test.", "CNAME", "a.sandbox.test.")
    assert server.ask("a.sandbox.test.").rcode() == dns.rcode.SERVFAIL
    server.add("dangling.sandbox.test.", "CNAME", "gone.sandbox.test.")
    assert server.ask("dangling.sandbox.test.").rcode() == dns.rcode.NXDOMAIN, "of the last name (RFC 6604)"


def test_an_answer_too_large_for_udp_is_cut_and_whole_over_tcp(server: Dns) -> None:
    rrdatas = [f'"{i}-{"x" * 200}"' for i in range(20)]
    server.add("big.sandbox.test.", "TXT", *rrdatas)
    for edns in (False, True):
        cut = server.ask("big.sandbox.test.", "TXT", use_edns=edns)
        assert cut.flags & dns.flags.TC, "the client must know to ask again over TCP"
    assert texts(server.ask("big.sandbox.test.", "TXT", tcp=True)) == sorted(rrdatas)


def test_edns_is_answered_in_kind(server: Dns) -> None:
    server.add("shop.sandbox.test.", "A", "203.0.113.10")
    assert server.ask("shop.sandbox.test.").edns == -1, "a client without EDNS gets an answer without it"
    assert server.ask("shop.sandbox.test.", use_edns=True).payload == 1232
    assert server.ask("shop.sandbox.test.", use_edns=1).rcode() == dns.rcode.BADVERS


def test_a_delegated_name_is_referred(server: Dns) -> None:
    server.add("sub.sandbox.test.", "NS", "ns.sub.sandbox.test.")
    server.add("ns.sub.sandbox.test.", "A", "203.0.113.53")
    response = server.ask("deep.sub.sandbox.test.")
    assert (texts(response), authority_types(response)) == ([], ["NS"])
    assert not response.flags & dns.flags.AA, "the other server is the authority"
    assert response.additional[0][0].to_text() == "203.0.113.53", "with glue"


def test_a_static_host_takes_precedence_over_the_zone_around_it(server: Dns) -> None:
    assert texts(server.ask("acme.sandbox.test.")) == ["10.244.0.2"]
    empty = server.ask("acme.sandbox.test.", "AAAA")
    assert (empty.rcode(), authority_types(empty)) == (dns.rcode.NOERROR, ["SOA"])
    assert not any("acme" in str(name) for name, _ in server.zone.record_sets), "REST does not list it"


def test_unknown_names_are_denied_at_once(server: Dns) -> None:
    assert server.ask("example.org.").rcode() == dns.rcode.NXDOMAIN
    assert server.ask("sandbox.test.", "AXFR").rcode() == dns.rcode.REFUSED
    assert server.ask("sandbox.test.", "SOA", rdclass="CH").rcode() == dns.rcode.REFUSED


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_noise_is_answered_or_ignored_but_never_raises(noise: bytes) -> None:
    reply = respond(Authority(list), noise, udp=True)
    assert reply is None or len(reply) >= 12, "at least a header"


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def slice_of(name: str, *endpoints: dict[str, Any]) -> dict[str, Any]:
    metadata = {"namespace": "shop", "labels": {"kubernetes.io/service-name": name}}
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": list(endpoints)}


def test_services_of_the_cluster_have_names() -> None:
    services = [
        service("web", clusterIP="10.96.0.5", clusterIPs=["10.96.0.5", "fd00::5"]),
        service("db", clusterIP="None"),
        service("out", type="ExternalName", externalName="elsewhere.test"),
    ]
    ready = {"addresses": ["10.244.1.1"], "conditions": {"ready": True}, "hostname": "db-0"}
    slices = [slice_of("db", ready, {"addresses": ["10.244.1.2"], "conditions": {"ready": False}})]
    zone = StaticZone.of(ORIGIN, service_record_sets(services, slices), 5)
    server = Authority(lambda: [zone])

    def ask(name: str) -> list[str]:
        return texts(server.respond(dns.message.make_query(name, "A")))

    assert ask("web.shop.svc.cluster.local.") == ["10.96.0.5"], "and the IPv6 address is an AAAA record"
    assert ask("db.shop.svc.cluster.local.") == ["10.244.1.1"], "headless: the ready endpoints"
    assert ask("db-0.db.shop.svc.cluster.local.") == ["10.244.1.1"]
    assert ask("out.shop.svc.cluster.local.") == ["elsewhere.test."]
