"""The policy pack, as the engine starts it: `pulumi preview --policy-pack policies`."""

import sys
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack

# The engine starts a pack alone, and this one measures with the program's own rules.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies import POLICIES

PolicyPack("istio-gateway-tls", POLICIES, enforcement_level=EnforcementLevel.MANDATORY)
