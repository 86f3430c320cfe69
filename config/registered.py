"""Registered domain (eTLD+1) by the public suffix list, the unit of CA rate limits."""

from functools import cache
from typing import TYPE_CHECKING

from components.specs.names import WILDCARD

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


@cache
def registered_domain(host: str) -> str:
    """Return the registered domain of a host or wildcard; a public suffix is returned as it is."""
    name = host.lower().removesuffix(".").removeprefix(WILDCARD)
    return _suffixes().privatesuffix(name) or name


@cache
def _suffixes() -> "PublicSuffixList":
    # Loading the list takes time that a preview with few hosts does not need to spend.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
