"""Questions to DNS: each zone once, a silent server once, and the closest CAA records."""

from dataclasses import replace

import dns.exception
import dns.query
import pytest

from tests.unit.tlsctl.verify.conftest import SERVER, Dns
from tests.unit.tlsctl.verify.support import IP, SHOP, config, deployed, state
from tlsctl.verify.environment import Environment, environments
from tlsctl.verify.records import Lookups, look, make_resolver
from tlsctl.verify.results import Result

IPV6 = "2001:db8::1"
HOSTS = [SHOP, "api.acme.dev", "docs.acme.dev"]
STACK = deployed(hosts=[{"host": host, "service": "shop", "namespace": "shop", "port": 80} for host in HOSTS])


def states(lookups: Lookups) -> list[str]:
    """Of the records and the resolver, for each host."""
    return [result.state for host in HOSTS for result in look(STACK, host, lookups)[:2]]


def test_the_name_servers_of_a_zone_are_looked_up_once(dns_: Dns) -> None:
    assert states(dns_.lookups()) == ["ok"] * 6
    assert [question for question in dns_.asked if " NS " in question] == ["resolver NS acme.dev."]


def test_a_silent_name_server_is_asked_twice_for_one_host_and_then_no_more(dns_: Dns) -> None:
    dns_.silent.add(SERVER)
    assert states(dns_.lookups()) == ["failed", "ok"] * 3
    assert len([question for question in dns_.asked if question.startswith(SERVER)]) == 2


def test_a_silent_resolver_is_asked_once(dns_: Dns) -> None:
    dns_.silent.add("resolver")
    assert states(dns_.lookups()) == ["failed"] * 6
    assert len(dns_.asked) == 1


def test_a_lost_answer_is_requested_again(dns_: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_the_first(*_: object, **__: object) -> object:
        monkeypatch.setattr(dns.query, "udp_with_fallback", dns_.udp)
        raise dns.exception.Timeout

    monkeypatch.setattr(dns.query, "udp_with_fallback", lose_the_first)
    assert states(dns_.lookups()) == ["ok"] * 6


def test_a_zone_without_name_servers_is_a_failure(dns_: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    lookups = dns_.lookups()
    monkeypatch.setattr(lookups, "_servers", lambda _: iter(()))
    assert states(lookups) == ["failed", "ok"] * 3


def test_a_wrong_address_is_named_at_the_name_server_and_at_the_resolver(dns_: Dns) -> None:
    dns_.address = "192.0.2.99"
    record, resolved, _ = look(STACK, SHOP, dns_.lookups())
    assert record.detail == f"the A record is 192.0.2.99 at ns1.acme.dev; the gateway is {IP}"
    servers, again = record.fix
    assert again == "pulumi up --refresh"
    assert servers.startswith("gcloud dns managed-zones describe acme --format 'value(nameServers)'"), (
        "an up changes nothing where the world asks another zone"
    )
    assert resolved.detail.startswith("resolver 192.0.2.1 answers 192.0.2.99")


def test_the_aaaa_record_of_a_gateway_with_an_ipv6_address_is_looked_up(dns_: Dns) -> None:
    (stack,) = environments(state(ingressIp=IPV6), config(ingress={"family": "ipv6"}), "dev")
    dns_.types = ["AAAA"]
    assert [result.state for result in look(stack, SHOP, dns_.lookups())[:2]] == ["ok", "ok"]


def test_an_address_of_the_other_family_leads_around_the_gateway(dns_: Dns) -> None:
    dns_.types = ["A", "AAAA"]
    record, *_ = look(STACK, SHOP, dns_.lookups())
    assert record.detail.startswith("the AAAA record 2001:db8::1 at ns1.acme.dev does not lead to the gateway")
    assert record.fix == (f"gcloud dns record-sets delete {SHOP}. --zone acme --type AAAA",)


def test_the_fix_of_a_record_names_the_zone_of_the_host(dns_: Dns) -> None:
    zones = [{"zone": "shop", "domain": SHOP, "project": "edge"}]
    (stack,) = environments(state(), config(dns={"zone": "acme", "zones": zones}), "dev")
    dns_.types = ["A", "AAAA"]
    assert look(stack, SHOP, dns_.lookups())[0].fix == (
        f"gcloud dns record-sets delete {SHOP}. --zone shop --project edge --type AAAA",
    )
    dns_.address = "192.0.2.99"
    assert (
        look(stack, SHOP, dns_.lookups())[0].fix[0].startswith("gcloud dns managed-zones describe shop --project edge ")
    )


@pytest.mark.parametrize("address", ["dns.google", ""])
def test_a_resolver_is_an_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"IP address|nameserver"):
        make_resolver(address)


def caa(dns_: Dns, records: dict[str, str], environment: Environment = STACK) -> Result:
    dns_.caa = records
    return look(environment, SHOP, dns_.lookups())[2]


@pytest.mark.parametrize("owner", [SHOP, "acme.dev", "dev"])
def test_caa_records_apply_to_the_names_below(dns_: Dns, owner: str) -> None:
    result = caa(dns_, {owner: '0 issue "theirs.test"'})
    assert result.state == "failed"
    assert result.detail == f"CAA of {owner} forbids the next certificate: theirs.test alone may sign"


def test_only_the_closest_caa_records_count(dns_: Dns) -> None:
    assert caa(dns_, {SHOP: '0 issue "letsencrypt.org"', "acme.dev": '0 issue "theirs.test"'}).state == "ok"


def test_only_a_stack_that_makes_caa_records_fails_without_them(dns_: Dns) -> None:
    assert caa(dns_, {}).state == "ok", "any CA may sign, which is no mistake"
    missing = caa(dns_, {}, deployed(dns={"zone": "acme", "caa": True}))
    assert (missing.state, missing.fix) == ("failed", ("pulumi up --refresh",))


def test_caa_records_for_a_lost_account_are_a_failure(dns_: Dns) -> None:
    known = replace(STACK, account="https://acme.test/acct/new")
    result = caa(dns_, {SHOP: '0 issue "letsencrypt.org; accounturi=https://acme.test/acct/old"'}, known)
    assert "other accounts alone may ask: https://acme.test/acct/old" in result.detail


def test_caa_records_that_cannot_be_read_are_a_failure(dns_: Dns) -> None:
    dns_.silent.add("resolver")
    assert "cannot be read" in caa(dns_, {}).detail
