"""When a certificate is renewed, and from when on that is late.

Everything is a share of the certificate's own lifetime, never days: lifetimes shrink, and a certificate of 160 hours
and one of 90 days are late by different clocks. Alerts and verify read the same shares.
"""

import datetime

RENEWED_AT = 1 / 3
"""The share that is left when cert-manager renews, unless `renewBeforePercentage` says otherwise."""

OVERDUE = 0.05
"""The share that may pass after the planned renewal before it is late. cert-manager tries again after 1, 2 and 4 hours;
of Let's Encrypt's shortest lifetime, 160 hours, this is 8."""

NEAR_EXPIRY = 0.1
"""The share that is left when somebody has to act at once."""


def planned(begin: datetime.datetime, end: datetime.datetime, percentage: int | None = None) -> datetime.datetime:
    """Return when a certificate is due for renewal, with `renewBeforePercentage` or cert-manager's default."""
    return end - (end - begin) * (percentage / 100 if percentage else RENEWED_AT)


def is_late(begin: datetime.datetime, end: datetime.datetime, due: datetime.datetime, now: datetime.datetime) -> bool:
    """Tell whether a renewal that was due at `due` should have been done by `now`."""
    return now > due + (end - begin) * OVERDUE


def share_left(begin: datetime.datetime, end: datetime.datetime, now: datetime.datetime) -> float:
    """Return how much of a lifetime is left, from 1 to 0."""
    return min(1.0, max(0.0, (end - now) / (end - begin)))
