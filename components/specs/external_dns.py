"""external-dns beside a stack: what makes it leave our objects alone, and which record sets are its own.

It owns a record set that has a TXT record beside it, with `heritage=external-dns` and who made it for what. Without
that record it neither changes nor deletes the set, whoever made it (plan/plan.go and registry/txt/registry.go of
v0.22.0). With it, and the policy `sync`, it deletes the set when the object is gone that wanted it. It has A, AAAA and
CNAME records, and no CAA.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..problem import Problem
from ..shell import word
from . import apis, gcloud
from .names import is_wildcard

CONTROLLER = "istio-gateway-tls"

ANNOTATIONS = {
    f"{prefix}/controller": CONTROLLER for prefix in ("external-dns.alpha.kubernetes.io", "external-dns.kubernetes.io")
}
"""Its sources skip an object that has another controller than `dns-controller` (IsControllerMismatch in
source/annotations/processors.go). The key is the first one up to v0.21 and the second one from v0.22 on."""

_KINDS = {
    "gateway": apis.GATEWAYS[apis.ISTIO],
    "virtualservice": apis.ROUTES[apis.ISTIO],
    "httproute": apis.ROUTES[apis.GATEWAY],
}
"""What kubectl calls the kinds of other APIs that have one of the same name."""

TYPES = ("A", "AAAA", "CNAME")
"""What it makes of the objects of a gateway."""

_OURS = "external-dns"

Key = tuple[str, str]
"""A record set: its name, without the trailing dot, and its type."""


def unpublished(name: Any, namespace: Any) -> dict[str, Any]:
    """Return the metadata of an object for which external-dns makes no records."""
    return {"name": name, "namespace": namespace, "annotations": dict(ANNOTATIONS)}


@dataclass(frozen=True)
class Owner:
    """Who owns a record set, as a TXT record says."""

    txt: str
    """The TXT record's name."""
    owner: str
    """`--txt-owner-id`."""
    resource: str
    """What the set was made for, `KIND/NAMESPACE/NAME`; empty where it does not say."""
    others: tuple[str, ...] = ()
    """Values of the same TXT record set that are somebody else's."""

    @classmethod
    def read(cls, name: str, values: Iterable[str]) -> "Owner | None":
        """Read a TXT record set; None where it is not one of external-dns."""
        listed = list(values)
        for value in listed:
            labels = dict(part.split("=", 1) for part in value.strip('"').split(",") if "=" in part)
            if labels.get("heritage") == _OURS:
                others = tuple(other for other in listed if other != value)
                owner, resource = (labels.get(f"{_OURS}/{key}", "") for key in ("owner", "resource"))
                return cls(name.removesuffix("."), owner, resource, others)
        return None


def txt_names(name: str, kind: str) -> list[str]:
    """Return where the TXT record of a record set is, without `--txt-prefix` and `--txt-suffix`.

    The form of before v0.12 comes first: where both are, external-dns makes the other one again as long as this one is
    there. It does not count for AAAA, and cannot be beside a CNAME. A wildcard has no other form, since Cloud DNS does
    not take the label `a-*`.
    """
    older = [name] if kind == "A" else []
    return older if is_wildcard(name) else [*older, f"{kind.lower()}-{name}"]


def owners(records: Mapping[Key, Sequence[str]], wanted: Collection[Key]) -> dict[Key, list[Owner]]:
    """Return which of the wanted record sets, in the zone or not, external-dns owns; `records` are the whole zone's.

    A TXT record does not say which set it stands for, and its name has whatever prefix or suffix was configured. It
    stands for the one whose name has the least added to it. Where the zone does not have that set, only the default
    names count: what is left of another set's is not taken for its own.
    """
    keys = sorted({key for key in {*records, *wanted} if key[1] in TYPES})
    by_default: dict[str, list[Key]] = {}
    for key in keys:
        for txt in txt_names(*key):
            by_default.setdefault(txt, []).append(key)
    there = [(key[0].partition(".")[0].strip("*"), key) for key in keys if key in records]
    by_key: dict[Key, list[Owner]] = {}
    for (name, kind), values in records.items():
        owner = Owner.read(name, values) if kind == "TXT" else None
        if owner is None:
            continue
        # Nearly all have default names. To hold each against every set takes long in a large zone.
        fits = by_default.get(name) or [key for label, key in there if label in name and _stands_for(name, *key)]
        # They are sorted, so that of two that fit as well the same one is taken each time.
        best = max(fits, key=lambda key: len(key[0]), default=None)
        if best is not None and best in wanted:
            by_key.setdefault(best, []).append(owner)
    for listed in by_key.values():
        listed.sort(key=lambda key: len(key.txt))  # the older form first
    return by_key


def _stands_for(txt: str, name: str, kind: str) -> bool:
    if txt in txt_names(name, kind):
        return True
    label, _, rest = name.partition(".")
    word = kind.lower()
    if txt.endswith(name):
        before = txt.removesuffix(name)
        # The prefix may end in anything, so that AAAA's would be an A's with more of it.
        joined = before.endswith(f"{word}-") and not (word == "a" and before.endswith("aaaa-"))
        return joined or word in before.replace("-", ".").split(".")
    if not txt.endswith(f".{rest}"):
        return False
    own = txt.removesuffix(f".{rest}")
    if label == "*":  # --txt-wildcard-replacement
        return own.startswith(f"{word}-") and "." not in own
    if own.startswith(f"{word}-{label}"):
        return True
    return own.startswith(label) and word in own.removeprefix(label).replace("-", ".").split(".")


def handover(
    owned: Mapping[Key, Sequence[Owner]], zone: str, project: str | None = None, then: str = "pulumi up"
) -> Problem:
    """Return the problem of record sets that external-dns owns, and how they are handed over without a gap.

    All TXT records go first, since an object may have wanted several names: once it wants none, external-dns deletes
    what it still owns.
    """
    listed = [f"{name}. {kind}" for name, kind in owned]
    all_owners = list(dict.fromkeys(owner for owners_of_set in owned.values() for owner in owners_of_set))
    described = (
        f"{owner.owner or 'unknown'}, for {owner.resource or 'an object that it does not name'}" for owner in all_owners
    )
    who = ", ".join(dict.fromkeys(described))
    where = f"record set{'s' if len(listed) > 1 else ''} {', '.join(listed)}"
    them = "them" if len(listed) > 1 else "it"
    what = f"made by external-dns (owner id {who}), which goes on writing {them} and may delete {them}"
    fix = [_release(owner, zone, project) for owner in all_owners]
    fix[0] += "    # external-dns owns nothing without these, and leaves the records as they are"
    fix += dict.fromkeys(_leave(owner.resource) for owner in all_owners if owner.resource.count("/") == 2)
    fix.append(f"{then}    # takes over the records that are there")
    return Problem(where, what, tuple(fix))


def _release(owner: Owner, zone: str, project: str | None) -> str:
    if owner.others:
        return gcloud.update(owner.txt, "TXT", owner.others, zone, project)
    return gcloud.delete(owner.txt, "TXT", zone, project)


def _leave(resource: str) -> str:
    kind, namespace, name = resource.split("/")
    annotations = " ".join(word(f"{key}={value}") for key, value in ANNOTATIONS.items())
    return (
        f"kubectl --namespace {word(namespace)} annotate --overwrite {word(_KINDS.get(kind, kind))} {word(name)}"
        f" {annotations}"
        "    # or take the names out of it; other records that it has are deleted"
    )
