"""The conditions in the status of an object, and what Istio says in those of the Gateway API."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]

CONTROLLER = "istio.io/gateway-controller"
"""Of the parents in a route's status that are Istio's."""

_WANTED = {
    "Accepted": ("True", "is not accepted"),
    "Conflicted": ("False", "is in conflict"),
    "ResolvedRefs": ("True", "refers to what it cannot use"),
    "Programmed": ("True", "is not in force"),
}
"""The state of each condition that is wanted, and what is wrong in another one; the cause is before what follows."""


_WITHOUT_LISTENER = "NoMatchingParent"
"""The reason of a parent that has no listener of the name that the route gives."""


def condition_of(obj: Object, kind: str) -> Object:
    """Return the condition of a type; empty where the object has none."""
    conditions: Sequence[Object] = obj.get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition.get("type") == kind), {})


def refusal(conditions: Sequence[Object], ignored: Collection[str] = ()) -> str | None:
    """Return what is wrong with an object by its conditions, or None; conditions with an ignored reason count as ok."""
    states = {condition["type"]: condition for condition in conditions}
    if "Accepted" not in states:
        return "is not accepted: Istio has not said anything about it yet"
    for kind, (wanted, words) in _WANTED.items():
        state = states.get(kind, {"status": wanted})
        if state["status"] != wanted and state["reason"] not in ignored:
            return f"{words}: {state['message']} ({state['reason']})"
    return None


def route_refusal(route: Object, ignored: Collection[str] = ()) -> str | None:
    """Return what is wrong with a route at one of its parents, as `refusal` does."""
    status: Object = route.get("status") or {}
    parents = [parent for parent in status.get("parents") or () if parent.get("controllerName") == CONTROLLER]
    if not parents:
        named = (
            f"{parent.get('kind', 'Gateway')} {parent['name']}" for parent in route["spec"].get("parentRefs") or ()
        )
        return f"is not accepted: Istio does not know {', '.join(named) or 'what it is for'}"
    conditions = [parent.get("conditions") or () for parent in parents]
    if not all(refusal(one, ignored) for one in conditions):
        # It names every Gateway that may have its listener, and one of them has it.
        ignored = {*ignored, _WITHOUT_LISTENER}
    return next(filter(None, (refusal(one, ignored) for one in conditions)), None)
