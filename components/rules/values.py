"""Plain values: each function returns what it takes, normalised, or raises ValueError with the reason alone."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any


def string(given: Any) -> str:
    """Take a text that is not empty."""
    if not isinstance(given, str) or not given:
        raise ValueError("is not a text")
    return given


def boolean(given: Any) -> bool:
    """Take true or false."""
    if not isinstance(given, bool):
        raise ValueError("is not true or false")
    return given


def one_of(*accepted: str) -> Callable[[Any], str]:
    """Take one of these words."""

    def rule(given: Any) -> str:
        if given not in accepted:
            raise ValueError(f"is not one of {', '.join(accepted)}")
        return str(given)

    return rule


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Take a whole number; programs in other languages send it as a float."""

    def rule(given: Any) -> int:
        if isinstance(given, bool) or not isinstance(given, int | float) or given != given // 1:
            raise ValueError("is not a whole number")
        if not low <= given <= high:
            raise ValueError(f"is not between {low} and {high}")
        return int(given)

    return rule


def integers(given: Any) -> Any:
    """Return a nested value with its whole numbers as integers."""
    if isinstance(given, float) and given.is_integer():
        return int(given)
    if isinstance(given, Mapping):
        return {key: integers(each) for key, each in given.items()}
    if isinstance(given, list | tuple):
        return [integers(each) for each in given]
    return given


def mapping(given: Any) -> dict[str, Any]:
    """Take an object of any keys; its whole numbers are integers."""
    if not isinstance(given, Mapping):
        raise ValueError("is not an object")
    return {key: integers(each) for key, each in given.items()}


def labels(given: Any) -> dict[str, Any]:
    """Take labels, at least one: without any, a Gateway would be for every gateway of the cluster."""
    if not isinstance(given, Mapping) or not given:
        raise ValueError("is not an object of labels")
    return dict(given)


def ipv4(given: Any) -> str:
    """Take an IPv4 address, which is what an A record holds."""
    try:
        return str(ipaddress.IPv4Address(given))
    except ValueError:
        raise ValueError("is not an IPv4 address") from None


def ipv6(given: Any) -> str:
    """Take an IPv6 address, which is what an AAAA record holds."""
    try:
        return str(ipaddress.IPv6Address(given))
    except ValueError:
        raise ValueError("is not an IPv6 address") from None


def workload_pool(given: Any) -> str:
    """Take the full name of a cluster's workload identity pool; IAM wants the project's number in it."""
    if not re.fullmatch(r"projects/\d+/locations/global/workloadIdentityPools/[^/\s]+\.svc\.id\.goog", str(given)):
        raise ValueError("is not projects/NUMBER/locations/global/workloadIdentityPools/PROJECT.svc.id.goog")
    return str(given)


def role_id(given: Any) -> str:
    """Take the id of a custom role (https://cloud.google.com/iam/docs/creating-custom-roles)."""
    if not re.fullmatch(r"[A-Za-z0-9_.]{3,64}", str(given)):
        raise ValueError("is not 3 to 64 letters, digits, underscores and periods")
    return str(given)


def accounts(given: Any) -> dict[str, str]:
    """Take the URIs of ACME accounts, at least one, by any name."""
    if (
        not isinstance(given, Mapping)
        or not given
        or not all(isinstance(each, str) and each for each in given.values())
    ):
        raise ValueError("is not an object of ACME accounts' URIs")
    return dict(given)
