"""Starts the policy pack for the engine: `pulumi preview --policy-pack policies`."""

import sys
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack

# The engine puts only this folder on the path; the pack shares the program's rules.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies import POLICIES

PolicyPack("istio-gateway-tls", POLICIES, enforcement_level=EnforcementLevel.MANDATORY)
