"""Questions to DNS: each zone once, and a server that is silent is waited for once."""

import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest

from tests.unit.verify.support import IP, SHOP, config, deployed, state
from tlsctl.verify.environment import environments
from tlsctl.verify.records import Lookups, look, make_resolver

IPV6 = "2001:db8::1"
ZONE, SERVER = dns.name.from_text("acme.dev"), "192.0.2.53"


class Dns:
    """Name servers and a resolver, and what they were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent: set[str] = set()
        self.address = IP
        self.ipv6 = IPV6

    def zone_for_name(self, name: dns.name.Name, **_: object) -> dns.name.Name:
        self._answer("resolver", f"SOA {name}")
        return ZONE

    def resolve(self, name: object, kind: str) -> dns.resolver.Answer:
        self._answer("resolver", f"{kind} {name}")
        host = SERVER if str(name).startswith("ns1") else self.address
        data = {"NS": "ns1.acme.dev.", "A": host, "AAAA": self.ipv6}[kind]
        full = dns.name.from_text(str(name))
        answer = dns.message.make_response(dns.message.make_query(full, kind))
        answer.answer = [dns.rrset.from_text(full, 60, "IN", kind, data)]
        question, received = answer.question[0], dns.message.from_wire(answer.to_wire())
        assert isinstance(received, dns.message.QueryMessage)
        return dns.resolver.Answer(full, question.rdtype, question.rdclass, received)

    def udp(self, question: dns.message.Message, address: str, **_: object) -> tuple[dns.message.Message, bool]:
        asked = question.question[0]
        kind = dns.rdatatype.to_text(asked.rdtype)
        self._answer(address, f"{kind} {asked.name}")
        answer = dns.message.make_response(question)
        data = self.ipv6 if kind == "AAAA" else self.address
        answer.answer = [dns.rrset.from_text(asked.name, 60, "IN", kind, data)]
        return answer, False

    def _answer(self, server: str, question: str) -> None:
        self.asked.append(f"{server} {question}")
        if server in self.silent:
            raise dns.exception.Timeout


@pytest.fixture
def dns_(monkeypatch: pytest.MonkeyPatch) -> Dns:
    fake = Dns()
    monkeypatch.setattr(dns.resolver, "zone_for_name", fake.zone_for_name)
    monkeypatch.setattr(dns.query, "udp_with_fallback", fake.udp)
    return fake


def lookups(fake: Dns) -> Lookups:
    resolver = make_resolver("192.0.2.1")
    resolver.resolve = fake.resolve  # type: ignore[method-assign, assignment]
    return Lookups(resolver)


HOSTS = [SHOP, "api.acme.dev", "docs.acme.dev"]
STACK = deployed(hosts=[{"host": host, "service": "shop", "namespace": "shop", "port": 80} for host in HOSTS])


def states(of: Lookups) -> list[str]:
    return [result.state for host in HOSTS for result in look(STACK, host, of)]


def test_the_name_servers_of_a_zone_are_looked_up_once(dns_: Dns) -> None:
    assert states(lookups(dns_)) == ["ok"] * 6
    assert [question for question in dns_.asked if " NS " in question] == ["resolver NS acme.dev."]


def test_a_name_server_that_is_silent_is_waited_for_once(dns_: Dns) -> None:
    dns_.silent.add(SERVER)
    assert states(lookups(dns_)) == ["failed", "ok"] * 3
    assert len([question for question in dns_.asked if question.startswith(SERVER)]) == 2, "two tries, of one host"


def test_a_resolver_that_is_silent_is_waited_for_once(dns_: Dns) -> None:
    dns_.silent.add("resolver")
    assert states(lookups(dns_)) == ["failed"] * 6
    assert len(dns_.asked) == 1


def test_an_answer_that_gets_lost_is_asked_for_again(dns_: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_the_first(*_: object, **__: object) -> object:
        monkeypatch.setattr(dns.query, "udp_with_fallback", dns_.udp)
        raise dns.exception.Timeout

    monkeypatch.setattr(dns.query, "udp_with_fallback", lose_the_first)
    assert states(lookups(dns_)) == ["ok"] * 6


def test_an_address_of_somewhere_else_is_named_at_both(dns_: Dns) -> None:
    dns_.address = "192.0.2.99"
    record, resolved = look(STACK, SHOP, lookups(dns_))
    assert record.detail == f"the A record is 192.0.2.99 at ns1.acme.dev; the gateway is {IP}"
    assert record.fix == ("pulumi up --refresh",)
    assert resolved.detail.startswith("resolver 192.0.2.1 answers 192.0.2.99")


@pytest.mark.parametrize(
    ("family", "kinds", "ip"), [("ipv4", {"A"}, IP), ("ipv6", {"AAAA"}, IPV6), ("dual", {"A", "AAAA"}, IP)]
)
def test_the_records_of_the_gateways_ip_versions_are_asked_for(
    dns_: Dns, family: str, kinds: set[str], ip: str
) -> None:
    (stack,) = environments(state(ingressIp=ip, ingressIpv6=IPV6), config(ingress={"family": family}), "dev")
    assert [each.state for each in look(stack, SHOP, lookups(dns_))] == ["ok", "ok"]
    assert {question.split()[1] for question in dns_.asked if SHOP in question} - {"SOA"} == kinds

    dns_.ipv6 = "2001:db8::99"
    record, resolved = look(stack, SHOP, lookups(dns_))
    assert (record.state, resolved.state) == ("ok" if family == "ipv4" else "failed",) * 2
    if family != "ipv4":
        assert record.detail == f"the AAAA record is 2001:db8::99 at ns1.acme.dev; the gateway is {IPV6}"


@pytest.mark.parametrize("address", ["dns.google", ""])
def test_a_resolver_is_an_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"IP address|nameserver"):
        make_resolver(address)


def test_a_zone_without_name_servers_is_a_failure(dns_: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    of = lookups(dns_)
    monkeypatch.setattr(of, "_servers", lambda _: iter(()))
    assert states(of) == ["failed", "ok"] * 3, "nobody answers for it"
