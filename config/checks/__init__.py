"""Rules between the keys of a config; a rule of a single value stands at its field.

They run even where single values are invalid, so that one report has every problem. An invalid value is None then, and
a rule that reads it does not apply.
"""

from collections.abc import Mapping, Set
from typing import Any

from components.problem import Problem
from config.checks import gateway_api, gateways, hosts, stack
from config.checks.keys import Keys
from config.models import Settings


def cross_checks(settings: Settings, raw: Mapping[str, Any], secret: Set[str]) -> list[Problem]:
    """Return the problems between keys of the valid part; reports show the raw values of keys that are not secret."""
    views = [Keys(view, raw, secret) for view in settings.views]
    return [
        *stack.problems(views[0], views[1:]),
        *(
            problem
            for view in views
            for problem in (*gateways.problems(view), *hosts.problems(view), *gateway_api.problems(view))
        ),
        *gateways.unused_dns01_keys(views),
        *gateways.zones(views),
        *gateways.duplicates(views),
        *gateways.strict_mtls(views),
    ]
