"""Several clusters, each with a certificate of its own for the same names: what docs/limits.md says of them."""

from config.limits import Limit


def wait(number: int, same_names: Limit) -> float:
    """Return the seconds until the last of so many clusters has its certificate, all of them asking at once."""
    return max(0, number - same_names.tokens) * same_names.seconds


def within(seconds: float, same_names: Limit) -> int:
    """Return how many clusters have theirs by then."""
    # 33.6 hours are no whole number of seconds in binary.
    return same_names.tokens + int(seconds / same_names.seconds + 1e-9)
