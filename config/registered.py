"""The part of a name that somebody bought, by which a CA counts: by the public suffix list."""

from functools import cache
from typing import TYPE_CHECKING

from components.specs.names import WILDCARD

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


@cache
def registered_domain(host: str) -> str:
    """Return the part of a name that somebody bought; the name itself if it is a suffix."""
    name = host.removeprefix(WILDCARD)
    return _suffixes().privatesuffix(name) or name


@cache
def _suffixes() -> "PublicSuffixList":
    # Read when it is asked for: a preview with few hosts does without it.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
