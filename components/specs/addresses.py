"""External addresses of a gateway: IP versions, the records that hold them, and what makes an address stay."""

import re
from collections.abc import Mapping

from ..shell import word

IPV4, IPV6, DUAL = "ipv4", "ipv6", "dual"

FAMILIES: Mapping[str, tuple[int, ...]] = {IPV4: (4,), IPV6: (6,), DUAL: (4, 6)}
"""The IP versions of each family."""

RECORD_TYPES: Mapping[int, str] = {4: "A", 6: "AAAA"}
"""The type of the record that holds an address."""

EPHEMERAL, PROMOTE = "ephemeral", "promote"

ANNOTATION = "networking.gke.io/load-balancer-ip-addresses"
"""On a Service: names of the reserved addresses that it wants (https://cloud.google.com/kubernetes-engine/docs)."""


def region_of(location: str) -> str:
    """Return the region of a location, which is a region or a zone of one: `europe-west1-b`."""
    return re.sub(r"-[a-z]$", "", location)


def chart_value(ip: str) -> str:
    """Return the option with which Istio's gateway chart asks for an address."""
    return f"--set {word(f'service.loadBalancerIP={ip}')}"
