"""The scenarios, in the order in which they are played."""

from tests.faults import scenarios_acme as acme
from tests.faults import scenarios_cluster as cluster

SCENARIOS = (
    cluster.two_ups,
    cluster.disk_full,
    acme.account_lost,
    acme.rate_limit,
    acme.nonce_storm,
    acme.challenge_errored,
    acme.solver_pod_deleted,
    cluster.foreign_key,
    cluster.foreign_certificate,
    cluster.wrong_namespace,
    cluster.slow_webhook,
    acme.caa_refusal,
    cluster.past_renewal,
    # Last: they leave a certificate of minutes.
    cluster.past_expiry,
)
