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


def refused_character(given: str) -> str:
    """Return why a text is none that YAML, a terminal or a log takes; empty where it is one.

    Refused are control characters other than tabs and ends of lines, and halves of surrogate pairs.
    """
    found = _REFUSED.search(given)
    return f"has the character U+{ord(found[0]):04X}" if found else ""


_REFUSED = re.compile(r"[^\t\n\r -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def line(given: str) -> str:
    """Take a text of one line, in which every character is seen."""
    hidden = next((each for each in given if not each.isprintable()), None)
    if hidden is not None:
        raise ValueError(f"has the character U+{ord(hidden):04X}, which is not seen")
    return given


def google_name(given: str) -> str:
    """Take the name of something in Google Cloud: a project, a cluster, a region, a managed zone."""
    if not _GOOGLE_NAME.fullmatch(given):
        raise ValueError("is not a name in Google Cloud: letters, digits and inner . : - _")
    return given


_GOOGLE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]{0,126}[A-Za-z0-9])?")


def object_labels(given: Mapping[str, str]) -> dict[str, str]:
    """Take labels of Kubernetes objects.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
    """
    for key, each in given.items():
        prefix, slash, name = key.rpartition("/")
        if not _LABEL.fullmatch(name) or (slash and not _LABEL_PREFIX.fullmatch(prefix)):
            raise ValueError(
                "has a key that is not a label's: letters, digits and inner - _ . after DOMAIN/ or nothing"
            )
        if each and not _LABEL.fullmatch(each):
            raise ValueError("has a value that is not a label's: at most 63 letters, digits and inner - _ .")
    return dict(given)


_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


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


_POOL = re.compile(r"projects/[0-9]+/locations/global/workloadIdentityPools/[A-Za-z0-9.:-]+\.svc\.id\.goog")


def workload_pool(given: Any) -> str:
    """Take the full name of a cluster's workload identity pool; IAM wants the project's number in it."""
    if not _POOL.fullmatch(str(given)):
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
