"""What the whole program makes of an accepted config, read back the way its consumers read it."""

from __future__ import annotations

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

from components.specs.headers import MAX_VALUE
from config.loading import NAMING
from config.production import PROJECT
from tests.faults.hostile import checks
from tests.faults.hostile.strategies import CANARY, Hostile, is_accepted
from tests.unit import harness
from tests.unit.harness import RECORD, VIRTUAL_SERVICE, Recorder, Registered
from tlsctl.adopt import config as stack_file

OF_REFUSED, OF_ACCEPTED = 100, 10
"""The program is run with one of so many configs: it takes many times as long as all else."""

_PROGRAM = Path(__file__).parents[3] / "__main__.py"
_NAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9-]*[a-z0-9])?\.)+")
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_CLUSTER: Mapping[str, Any] = {
    "components.kube.load_balancer.find_address": ["203.0.113.10", "2001:db8::10"],
    "components.kube.mesh.solver_problem": None,
    "components.kube.client.api_client": None,
}
"""What is asked of the cluster beside the engine, and the answer."""
_scratch: list[Path] = []


@contextlib.contextmanager
def scratch() -> Iterator[None]:
    """Have a folder for the files that are written and read back."""
    with tempfile.TemporaryDirectory() as name:
        _scratch.append(Path(name))
        try:
            yield
        finally:
            _scratch.pop()


def registers_nothing(given: Hostile) -> Iterator[str]:
    """Yield what a program has done that was to end with a report of its config."""
    recorder = Recorder()
    try:
        handed = harness.engine_config(given.config)
    except RecursionError:
        return  # the engine could not hand it over either
    if is_accepted(handed, given.secret):
        return  # the engine has only texts, and `null` is one that some keys accept
    try:
        _run(given, recorder)
        yield "the program takes a config that the settings refuse"
    except pulumi.RunError as error:
        yield from checks.secrets(given, str(error))
    except Exception as error:
        yield f"the program ends with {type(error).__name__} in place of a report: {str(error)[:200]!r}"
    if recorder.resources:
        yield f"{len(recorder.resources)} resources are registered in spite of the config"


def holds(given: Hostile) -> Iterator[str]:
    """Yield what of an accepted config is not well-formed for whoever reads it."""
    recorder = Recorder()
    try:
        yield from _line_by_line(given, _run(given, recorder))
    except pulumi.RunError as error:
        # What the config names is looked up before anything is made, and may not be there.
        yield from _line_by_line(given, str(error))
        if recorder.resources:
            yield f"a component refuses what the settings accept, when there is something already: {str(error)[:200]!r}"
    except Exception as error:
        yield f"the program ends with {type(error).__name__}: {str(error)[:200]!r}"
    for each in recorder:
        yield from _registered(each, given)
    yield from _written(given.config)


def _run(given: Hostile, recorder: Recorder) -> str:
    """Run the program, and return what it logged."""
    with contextlib.ExitStack() as stack:
        logged = stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        for name, answer in _CLUSTER.items():
            stack.enter_context(mock.patch(name, return_value=answer))
        harness.run(
            lambda: runpy.run_path(str(_PROGRAM), run_name="__main__"),
            given.config,
            stack="dev",
            secret=tuple(given.secret),
            recorder=recorder,
        )
    return logged.getvalue()


def _short(given: Hostile) -> set[str]:
    return {key.removeprefix(f"{PROJECT}:") for key in given.secret}


def _line_by_line(given: Hostile, shown: str) -> Iterator[str]:
    yield from checks.secrets(given, shown)
    yield from checks.commented(shown)
    if hidden := next((each for each in shown if not each.isprintable() and each != "\n"), None):
        yield f"U+{ord(hidden):04X} reached the terminal"


def _registered(resource: Registered, given: Hostile) -> Iterator[str]:
    kind, inputs = resource.type.rpartition(":")[2], dict(resource.inputs)
    named = NAMING & _short(given) or given.secret_is_name
    if given.holds_secret and CANARY in resource.shown and not named and given.secret:
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
    """Return inputs as they are sent: secrets decrypted, and as a text what is not known in a preview."""
    if isinstance(value, dict) and rpc._special_sig_key in value:
        return _plain(value.get("value"))
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _routes(spec: dict[str, Any]) -> Iterator[str]:
    """Envoy takes one bad value for a reason to refuse the routes of every host."""
    for route in spec["http"]:
        for header, value in (((route.get("headers") or {}).get("response") or {}).get("set") or {}).items():
            if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value) or len(value) > 2 * MAX_VALUE:
                yield f"the header {header} has the value {value!r}"
            if value.replace("%%", "").count("%"):
                yield f"the header {header} has a variable of Envoy's: {value!r}"
        for match in route.get("match") or ():
            wanted = [
                match["uri"]["prefix"],
                *(next(iter(each.values())) for each in match.get("headers", {}).values()),
            ]
            if not all(isinstance(each, str) and each.isascii() and each.isprintable() for each in wanted):
                yield f"a route matches {wanted!r}"


def _expressions(value: Any) -> Iterator[str]:
    """Yield the PromQL in a document, and in the JSON documents in it."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "expr":
                yield each
            else:
                yield from _expressions(json.loads(each) if key.endswith(".json") and isinstance(each, str) else each)
    elif isinstance(value, list):
        for each in value:
            yield from _expressions(each)


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
    file = _scratch[-1] / "Pulumi.dev.yaml"
    stack_file.write(file, {"config": config})
    if stack_file.read(file) != {"config": config}:
        yield "the stack's file holds another config"
