"""Asks DNS for the name servers of a domain, as a CA would find them."""

from collections.abc import Collection

_TIMEOUT = 2.0
"""Seconds for the resolver to answer."""


def name_servers(domain: str) -> Collection[str] | None:
    """Return the names of a domain's servers, in lower case and without the dot; None where DNS cannot be asked."""
    # Only a stack that makes its first records asks.
    from dns import exception, resolver

    def ask(name: str) -> set[str]:
        try:
            answer = asked.resolve(name, "NS", search=False)
        except (resolver.NXDOMAIN, resolver.NoAnswer):
            return set()
        return {str(record.target).removesuffix(".").lower() for record in answer}

    try:
        asked = resolver.Resolver()
        asked.lifetime = _TIMEOUT
        # A resolver without the internet knows no top-level domain either.
        return ask(f"{domain}.") or (set() if ask(f"{domain.rpartition('.')[2]}.") else None)
    except (exception.DNSException, OSError):
        return None
