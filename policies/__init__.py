"""The policy pack's table of contents.

The settings refuse a bad config of this program; the policies judge the resources of any program. Rules that need
unknown values are skipped and reported. docs/policies.md lists what each policy stops and what it cannot see.
"""

from typing import Any

from pulumi_policy import Policy

from policies import (
    cert_manager,
    certificates,
    gateways,
    issuers,
    neighbours,
    other_kinds,
    private_keys,
    records,
)
from policies.findings import Rule, unjudged_policy

RULES: list[Rule[Any]] = [
    gateways.NO_PLAIN_HTTP,
    other_kinds.OTHER_WAYS,
    other_kinds.WHOLE,
    gateways.MODE,
    gateways.TLS_VERSION,
    gateways.CIPHER_SUITES,
    gateways.CERTIFICATE,
    neighbours.ROUTES_FROM,
    neighbours.GRANTS,
    certificates.ONE_PER_SECRET,
    certificates.WRITTEN_OUT,
    issuers.ENVIRONMENT,
    issuers.EMAIL,
    issuers.NO_REDIRECT,
    issuers.NO_WILDCARD,
    records.ZONE,
    records.TTL,
    private_keys.NO_PRIVATE_KEY,
    cert_manager.SOURCE,
    cert_manager.VERSION,
    cert_manager.PROTECT,
]

POLICIES: list[Policy] = [*(rule.policy() for rule in RULES), unjudged_policy(RULES)]
