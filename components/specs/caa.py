"""CAA records (RFC 8659): which CA may sign for a name, by which account and which proof (RFC 8657).

The records at the first name that has some count, from the host upwards, and no others. A CA that they do not name may
not sign. For a wildcard, `issuewild` counts where there is one; else `issue`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from . import acme, names

LETS_ENCRYPT = "letsencrypt.org"
"""By which Let's Encrypt's servers know themselves, staging too (`meta.caaIdentities` of their directories)."""

METHODS = {acme.HTTP01: "http-01", acme.DNS01: "dns-01"}
"""How each challenge is called by `validationmethods`."""

NOBODY = ";"

_RECORD = re.compile(r'(\d+)\s+([A-Za-z0-9]+)\s+"?([^"]*)"?\s*')


@dataclass(frozen=True)
class Record:
    """One CAA record."""

    tag: str
    """`issue`, `issuewild`, `iodef` and others."""
    domain: str
    """The CA's; empty where nobody may sign."""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Record":
        """Read a record as DNS servers and Cloud DNS write it: `0 issue "ca.test; accounturi=…"`.

        Raises:
            ValueError: it is none.
        """
        match = _RECORD.fullmatch(text)
        if not match:
            raise ValueError(f"is not a CAA record: {text}")
        domain, *pairs = (part.strip() for part in match[3].split(";"))
        parameters = (part.partition("=") for part in pairs if part)
        return cls(
            match[2].lower(), domain.lower(), {key.strip().lower(): value.strip() for key, _, value in parameters}
        )


def identities(servers: Iterable[str]) -> list[str] | None:
    """Return the CAs' domains of ACME directories; None where one is not Let's Encrypt's."""
    return [LETS_ENCRYPT] if set(servers) <= set(acme.DIRECTORIES.values()) else None


def owners(hosts: Mapping[str, str]) -> dict[str, dict[bool, str]]:
    """Return what is served at each name that gets records: by whether it is a wildcard, the challenge.

    A wildcard's records are at its domain. `hosts` has the challenge of each host.
    """
    challenges: dict[str, dict[bool, str]] = {}
    for host, challenge in hosts.items():
        challenges.setdefault(names.without_wildcard(host), {})[names.is_wildcard(host)] = challenge
    return challenges


def records(served: Mapping[bool, str], domains: Sequence[str], accounts: Sequence[str]) -> list[str]:
    """Return the records of a name; `served` has its challenge (False) and that of the wildcard below it (True).

    A name without a wildcard forbids one. The domain of a wildcard that is not served itself says nothing of
    certificates without a wildcard: they may be other people's.
    """

    def allowed(tag: str, challenge: str) -> list[str]:
        return [
            f'0 {tag} "{domain}; accounturi={account}; validationmethods={METHODS[challenge]}"'
            for domain in domains
            for account in accounts
        ]

    plain = allowed("issue", served[False]) if False in served else []
    return plain + (allowed("issuewild", served[True]) if True in served else [f'0 issuewild "{NOBODY}"'])


def refusal(effective: Iterable[Record], host: str, challenge: str, domains: Iterable[str], account: str | None) -> str:
    """Return why a CA may not sign for a host; empty where it may.

    `effective` are the records that count for the host, all of one name; without any, every CA may sign. One of the
    CA's domains is enough. None is an account that is not known.
    """
    all_records = list(effective)
    wild = [record for record in all_records if record.tag == "issuewild"] if names.is_wildcard(host) else []
    counting = wild or [record for record in all_records if record.tag == "issue"]
    if not counting:
        return ""
    named = [record for record in counting if record.domain in set(domains)]
    if not named:
        others = sorted({record.domain or "nobody" for record in counting})
        return f"{' and '.join(others)} alone may sign"
    by_account = [
        record for record in named if account is None or record.parameters.get("accounturi", account) == account
    ]
    if not by_account:
        return f"other accounts alone may ask: {', '.join(record.parameters['accounturi'] for record in named)}"
    method = METHODS[challenge]
    methods = [record.parameters.get("validationmethods", method).split(",") for record in by_account]
    if not any(method in [word.strip() for word in record] for record in methods):
        return f"names may be proven by {', '.join(methods[0])} alone"
    return ""
