"""The resources that the whole program registers for a config, read the way their consumers read them."""

import contextlib
import io
import json
import re
import runpy
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import promql_parser
import pulumi
import yaml
from pulumi.runtime import rpc

from components.preflight.mesh import Mesh
from components.specs.headers import MAX_VALUE
from config.loading import NAMING
from config.production import PROJECT
from tests.faults.hostile import checks
from tests.faults.hostile.strategies import CANARY, Hostile, is_accepted
from tests.unit import harness
from tests.unit.harness import RECORD, VIRTUAL_SERVICE, Recorder, Registered
from tlsctl.adopt import config as stack_file

OF_REFUSED, OF_ACCEPTED = 100, 10
"""The program is run with one of so many configs: it takes many times as long as the rest."""

_PROGRAM = Path(__file__).parents[3] / "__main__.py"
_NAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9-]*[a-z0-9])?\.)+")
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_CLUSTER: Mapping[str, Any] = {
    "components.kube.load_balancer.find_address": ["203.0.113.10", "2001:db8::10"],
    "components.kube.mesh.read": Mesh("istio-system"),
    "components.kube.credentials.Client": None,
}
"""Functions that read the cluster, and their answers."""


def registers_nothing(config: Hostile) -> Iterator[str]:
    """Yield what the program does with a refused config, other than to report it."""
    recorder = Recorder()
    try:
        encoded = harness.engine_config(config.config)
    except RecursionError:
        return  # The engine could not pass it on either.
    if is_accepted(encoded, config.secret):
        return  # The engine has only texts, and some keys accept the text `null`.
    try:
        _run(config, recorder)
        yield "the program takes a config that the settings refuse"
    except pulumi.RunError as error:
        yield from checks.secrets(config, str(error))
    except Exception as error:
        yield f"the program ends with {type(error).__name__} in place of a report: {str(error)[:200]!r}"
    if recorder.resources:
        yield f"{len(recorder.resources)} resources are registered despite the report"


def holds(config: Hostile) -> Iterator[str]:
    """Yield the resources of an accepted config that a consumer would misread."""
    recorder = Recorder()
    try:
        yield from _line_by_line(config, _run(config, recorder))
    except pulumi.RunError as error:
        # The program first looks up what the config names, which may not exist.
        yield from _line_by_line(config, str(error))
        if recorder.resources:
            yield f"a component refuses what the settings accept, after others were registered: {str(error)[:200]!r}"
    except Exception as error:
        yield f"the program ends with {type(error).__name__}: {str(error)[:200]!r}"
    for resource in recorder:
        yield from _registered(resource, config)
    yield from _written(config.config)


def _run(config: Hostile, recorder: Recorder) -> str:
    """Run the program, and return what it logged."""
    with contextlib.ExitStack() as stack:
        logged = stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        for name, answer in _CLUSTER.items():
            stack.enter_context(mock.patch(name, return_value=answer))
        harness.run(
            lambda: runpy.run_path(str(_PROGRAM), run_name="__main__"),
            config.config,
            stack="dev",
            secret=tuple(config.secret),
            recorder=recorder,
        )
    return logged.getvalue()


def _line_by_line(config: Hostile, shown: str) -> Iterator[str]:
    yield from checks.secrets(config, shown)
    yield from checks.commented(shown)
    if hidden := next((letter for letter in shown if not letter.isprintable() and letter != "\n"), None):
        yield f"U+{ord(hidden):04X} reached the terminal"


def _registered(resource: Registered, config: Hostile) -> Iterator[str]:
    kind, inputs = resource.type.rpartition(":")[2], dict(resource.inputs)
    named = config.secret_is_name or NAMING & {key.removeprefix(f"{PROJECT}:") for key in config.secret}
    if config.holds_secret and CANARY in resource.shown and not named and config.secret:
        yield f"a secret is in the state, in a {kind}: {resource.shown[:300]}"
    if resource.type.startswith("pulumi:"):
        return
    plain = _plain(inputs)
    if json.loads(json.dumps(plain, allow_nan=False)) != plain:
        yield f"a {kind} is another one in JSON"
    if yaml.safe_load(yaml.dump(plain, Dumper=yaml.CSafeDumper, allow_unicode=True)) != plain:
        yield f"a {kind} is another one in YAML"
    name = (plain.get("metadata") or {}).get("name")
    if name is not None and not _OBJECT.fullmatch(name):
        yield f"a {kind} has the name {name!r}"
    if resource.type == RECORD and not _NAME.fullmatch(str(plain["name"])):
        yield f"a record set has the name {plain['name']!r}"
    if resource.type == VIRTUAL_SERVICE:
        yield from _routes(plain["spec"])
    for expression in _expressions(plain):
        yield from _promql(expression)


def _plain(value: Any) -> Any:
    """Return inputs as they are sent: secrets decrypted, and values that a preview does not know as texts."""
    if isinstance(value, dict) and rpc._special_sig_key in value:
        return _plain(value.get("value"))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _routes(spec: dict[str, Any]) -> Iterator[str]:
    """Yield the values of routes for which Envoy would refuse the routes of every host."""
    for route in spec["http"]:
        for header, value in (((route.get("headers") or {}).get("response") or {}).get("set") or {}).items():
            if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value) or len(value) > 2 * MAX_VALUE:
                yield f"the header {header} has the value {value!r}"
            if value.replace("%%", "").count("%"):
                yield f"the header {header} has a variable of Envoy's: {value!r}"
        for match in route.get("match") or ():
            wanted = [
                *match["uri"].values(),
                *(next(iter(header.values())) for header in match.get("headers", {}).values()),
            ]
            if not all(isinstance(text, str) and text.isascii() and text.isprintable() for text in wanted):
                yield f"a route matches {wanted!r}"


def _expressions(value: Any) -> Iterator[str]:
    """Yield the PromQL in a document, and in the JSON documents in it."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "expr":
                yield item
            else:
                yield from _expressions(json.loads(item) if key.endswith(".json") and isinstance(item, str) else item)
    elif isinstance(value, list):
        for item in value:
            yield from _expressions(item)


def _promql(expression: str) -> Iterator[str]:
    try:
        promql_parser.parse(expression)
    except ValueError as error:
        yield f"PromQL is not parsed: {error}, in {expression[:200]!r}"
    for quoted in re.findall(r'"((?:[^"\\]|\\.)*)"', expression):
        if not re.fullmatch(r"[a-zA-Z0-9_.|:\[\]-]*", quoted):
            yield f"PromQL compares with {quoted!r}"


def _written(config: dict[str, Any]) -> Iterator[str]:
    """Yield whether a stack's file, written by `adopt`, holds something else than was to be in it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "Pulumi.dev.yaml"
        stack_file.write(file, {"config": config})
        if stack_file.read(file) != {"config": config}:
            yield "the stack's file holds another config"
