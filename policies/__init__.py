"""What a stack must hold to: the table of contents of the policy pack.

The settings refuse a bad config of this program; the policies look at what any program asks of the engine. A value that
a preview cannot know yet costs one resource its judgement, which is said; docs/policies.md has what they cannot see.
"""

from pulumi_policy import Policy

from policies.cert_manager import SOURCE, VERSION
from policies.certificates import ONE_PER_SECRET, WRITTEN_OUT
from policies.challenges import NO_REDIRECT, NO_WILDCARD
from policies.findings import Rule, judged
from policies.gateways import CERTIFICATE, CIPHER_SUITES, MODE, TLS_VERSION
from policies.issuers import EMAIL, ENVIRONMENT
from policies.other_kinds import OTHER_WAYS, WHOLE
from policies.plain_http import NO_PLAIN_HTTP
from policies.private_keys import NO_PRIVATE_KEY
from policies.protection import PROTECT
from policies.records import TTL, ZONE

RULES: list[Rule] = [
    NO_PLAIN_HTTP,
    OTHER_WAYS,
    WHOLE,
    MODE,
    TLS_VERSION,
    CIPHER_SUITES,
    CERTIFICATE,
    ONE_PER_SECRET,
    WRITTEN_OUT,
    ENVIRONMENT,
    EMAIL,
    NO_REDIRECT,
    NO_WILDCARD,
    ZONE,
    TTL,
    NO_PRIVATE_KEY,
    SOURCE,
    VERSION,
    PROTECT,
]

POLICIES: list[Policy] = [*(rule.policy() for rule in RULES), judged(RULES)]
