"""What the rules between keys look at in the raw config of a gateway."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from components.rules import names, routes

from .problems import Path


def objects(given: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list; what is something else has been refused by its own field."""
    return [each if isinstance(each, dict) else {} for each in given] if isinstance(given, list) else []


def place_of(raw: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the namespace and the Service of a gateway."""
    ingress = found if isinstance(found := raw.get("ingress"), dict) else {}
    return ingress.get("namespace", routes.NAMESPACE), ingress.get("service", routes.SERVICE)


def unique(raw: Mapping[str, Any], place: tuple[str | int, ...]) -> Iterator[tuple[str, Path, Any]]:
    """Yield what no other gateway may have: what it is, where, and its value."""
    if raw.get("name"):
        yield "name", [*place, "name"], raw["name"]
    namespace, service = place_of(raw)
    yield "Service", [*place, "ingress", "service"], f"{namespace}/{service}"
    certificate = found if isinstance(found := raw.get("certificate"), dict) else {}
    default = f"{raw['name']}-certs" if raw.get("name") else routes.CREDENTIAL
    yield "Secret", [*place, "certificate", "secretName"], f"{namespace}/{certificate.get('secretName', default)}"
    for index, host in enumerate(objects(raw.get("hosts"))):
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            yield "host", [*place, "hosts", index, "host"], names.dns_name(host.get("host") or "")
