"""What a stack must hold to: the table of contents of the policy pack.

The settings refuse a bad config of this program; the policies look at what any program asks of the engine. A value
that a preview cannot know yet is passed over, and the engine says which.
"""

from pulumi_policy import Policy

from policies.cert_manager import VERSION
from policies.challenges import NO_REDIRECT, NO_WILDCARD
from policies.gateways import CERTIFICATE, TLS_VERSION
from policies.issuers import EMAIL, ENVIRONMENT
from policies.private_keys import NO_PRIVATE_KEY
from policies.protection import PROTECT
from policies.records import TTL, ZONE

POLICIES: list[Policy] = [
    ENVIRONMENT,
    EMAIL,
    TLS_VERSION,
    CERTIFICATE,
    NO_REDIRECT,
    NO_WILDCARD,
    ZONE,
    TTL,
    NO_PRIVATE_KEY,
    VERSION,
    PROTECT,
]
