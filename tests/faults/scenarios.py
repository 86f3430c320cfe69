"""The table of scenarios, in the order in which they are played."""

from __future__ import annotations

from tests.faults.scenarios_acme import (
    AccountLost,
    CaaRefusal,
    ChallengeErrored,
    NonceStorm,
    RateLimit,
    SolverPodDeleted,
)
from tests.faults.scenarios_cluster import (
    ForeignCertificate,
    ForeignKey,
    PastExpiry,
    PastRenewal,
    SlowWebhook,
    WrongNamespace,
)
from tests.faults.scenarios_state import DiskFull, TwoUps
from tests.faults.stage import Scenario

SCENARIOS: dict[str, type[Scenario]] = {
    each.name: each
    for each in (
        TwoUps,
        DiskFull,
        AccountLost,
        RateLimit,
        NonceStorm,
        ChallengeErrored,
        SolverPodDeleted,
        ForeignKey,
        ForeignCertificate,
        WrongNamespace,
        SlowWebhook,
        CaaRefusal,
        PastRenewal,
        # Last: they leave a certificate of minutes.
        PastExpiry,
    )
}
