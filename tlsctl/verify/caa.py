"""Whether the CA may sign: the CAA records that count for a host, as a CA looks for them (RFC 8659, section 3)."""

import dns.exception
import dns.name

from components.shell import word
from components.specs import caa, names
from tlsctl.verify.environment import Environment
from tlsctl.verify.records import Lookups, SilentError, words
from tlsctl.verify.results import Result


def look(environment: Environment, host: str, lookups: Lookups) -> list[Result]:
    """Find the records that count for a host, from its name upwards, and judge them."""
    return [_judged(environment, host, lookups)]


def _judged(environment: Environment, host: str, lookups: Lookups) -> Result:
    try:
        owner, found = _closest(dns.name.from_text(names.without_wildcard(host)), lookups)
        parsed = [caa.Record.parse(each) for each in found]
    except (dns.exception.DNSException, SilentError, ValueError) as error:
        return Result("caa", host, "failed", f"the CAA records cannot be read: {words(error)}", _dig(host))
    if not found:
        detail = "there are no CAA records: any CA may sign"
        if environment.settings.dns.caa:
            return Result("caa", host, "failed", detail, environment.fix("caa", host=host))
        return Result("caa", host, "ok", detail)
    domains = environment.settings.caa_identities
    if domains is None:
        return Result("caa", host, "skipped", "the config does not say the CA's domain: dns.caaIdentities")
    challenge = environment.settings.challenges[host]
    if wrong := caa.refusal(parsed, host, challenge, domains, environment.account):
        return Result("caa", host, "failed", f"CAA of {owner} forbids the next certificate: {wrong}", _dig(owner))
    return Result("caa", host, "ok", f"{' and '.join(sorted(domains))} may sign, by CAA of {owner}")


def _closest(name: dns.name.Name, lookups: Lookups) -> tuple[str, list[str]]:
    """Return the closest name that has CAA records, and these; the resolver follows CNAMEs, as a CA does."""
    while name != dns.name.root:
        if found := lookups.caa(name):
            return str(name).rstrip("."), found
        name = name.parent()
    return "", []


def _dig(name: str) -> tuple[str, ...]:
    return (f"dig {word(name.removeprefix(names.WILDCARD))} CAA", "pulumi up --refresh")
