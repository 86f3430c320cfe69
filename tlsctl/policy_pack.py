"""``tlsctl policy-pack``: prints the folder of the policy pack, for `pulumi preview --policy-pack`."""

import importlib
import sys
from pathlib import Path

from config.command import INSTALLED


def run(*_: object) -> int:
    """Print the folder, if the engine can run the pack from it."""
    importlib.import_module("pulumi_policy")
    root = Path(sys.prefix, "share", "istio-gateway-tls") if INSTALLED else Path(__file__).parents[1]
    print(root / "policies")
    return 0
