"""Stack config, validated: `load()` returns frozen `Settings`, or explains every error at once."""

from settings.arguments import Arguments
from settings.loading import load
from settings.lookups import find_kubeconfig, require_hosts_in_zone
from settings.models import Settings

__all__ = ["Arguments", "Settings", "find_kubeconfig", "load", "require_hosts_in_zone"]
