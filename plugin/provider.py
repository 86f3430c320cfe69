"""The components behind Pulumi's provider protocol.

The SDK's component host does most of it: it reads the schema off the classes and constructs them. What it does not do,
and a user of another language would meet, is done here:

- It ends in a Python traceback when an input is wrong or a component gives up. Here the engine learns which inputs
  have a problem, by the names that the user wrote, or the component's own words.
- It expects plain values where names are translated and whole numbers are read. Here an Output is translated when it
  becomes known.
"""

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

import pulumi
from pulumi.errors import InputPropertiesError, InputPropertyErrorDetails
from pulumi.provider import server
from pulumi.provider.experimental import component
from pulumi.provider.experimental.analyzer import Analyzer, ComponentDefinition, PropertyDefinition
from pulumi.provider.experimental.util import camel_case
from pulumi.runtime import proto

from components import public
from components.inputs import InputsError

NAME = "istio-gateway-tls"
"""The package of every component's type token."""

COMPONENTS: list[type[pulumi.ComponentResource]] = [
    value for value in vars(public).values() if isinstance(value, type) and issubclass(value, pulumi.ComponentResource)
]
"""In the order of `public.py`, which is that of the page of components."""


class AnnotatedAnalyzer(Analyzer):
    """Reads the types of inputs without the rules that are annotated to them."""

    def analyze_property(self, arg: Any, typ: type, name: str, **options: Any) -> PropertyDefinition:
        """Return the definition of a property; the SDK calls this for each level of its type."""
        if get_origin(arg) is Annotated:
            arg = get_args(arg)[0]
        if get_origin(arg) is Mapping:
            arg = Mapping[str, get_args(arg)[1]]  # type: ignore[misc]
        return super().analyze_property(arg, typ, name, **options)


class Provider(component.ComponentProvider):
    """Constructs the components for programs in other languages."""

    def __init__(self) -> None:
        # The SDK's component host makes this class, and takes no other.
        component.Analyzer = AnnotatedAnalyzer  # type: ignore[attr-defined]
        super().__init__(COMPONENTS, NAME)
        # Other languages add a suffix of their own: without this, TypeScript's HostArgs would be HostArgsArgs.
        schema = re.sub(rf"({NAME}:index:\w+)Args\b", r"\1", self.schema or "")
        # Python keeps the indentation of docstrings up to 3.12, and removes it from 3.13 on.
        self.schema: str = json.dumps(json.loads(schema, object_hook=_without_indentation))

    def map_inputs(self, inputs: Mapping[str, Any], component_def: ComponentDefinition) -> dict[str, Any]:
        """Return the inputs by their Python names; the component itself finds what is missing or wrong."""
        return self._object(inputs, component_def.inputs, component_def.inputs_mapping)

    def _object(
        self, inputs: Mapping[str, Any], properties: Mapping[str, PropertyDefinition], names: Mapping[str, str]
    ) -> dict[str, Any]:
        return {
            names.get(key, key): self._value(value, properties[key]) if key in properties else value
            for key, value in inputs.items()
        }

    def _value(self, value: Any, definition: PropertyDefinition) -> Any:
        if isinstance(value, pulumi.Output):
            return value.apply(lambda known: self._value(known, definition))
        if isinstance(value, list) and definition.items:
            item = definition.items
            return [self._value(element, item) for element in value]
        named = self.get_type_definition(definition) if definition.ref else None
        if isinstance(value, dict) and named:
            return self._object(value, named.properties, named.properties_mapping)
        return value


def _without_indentation(described: dict[str, Any]) -> dict[str, Any]:
    text = described.get("description")
    return described | {"description": inspect.cleandoc(text)} if isinstance(text, str) else described


class Servicer(server.ProviderServicer):
    """Answers the engine."""

    async def _construct(self, request: proto.ConstructRequest, context: Any) -> proto.ConstructResponse:
        try:
            return await super()._construct(request, context)
        except server.ComponentInitError as error:
            raise to_engine_error(error.inner) from error
        except Exception as error:
            raise to_engine_error(error) from error


def to_engine_error(error: Exception) -> Exception:
    """Return an error that the engine prints without a traceback; an unexpected error is returned unchanged."""
    if isinstance(error, InputsError):
        details: list[InputPropertyErrorDetails] = [
            {"property_path": re.sub(r"\w+", lambda word: camel_case(word[0]), problem.where), "reason": problem.what}
            for problem in error.problems
        ]
        return InputPropertiesError("invalid inputs", details)
    # With no list at all the SDK fails to make the answer.
    return InputPropertiesError(str(error), []) if isinstance(error, pulumi.RunError) else error


def schema() -> str:
    """Return the schema of the components, as it is kept in `schema.json`."""
    return json.dumps(json.loads(Provider().schema), indent=2) + "\n"


def serve(arguments: Sequence[str]) -> None:
    """Serve until the engine, whose address is the first argument, ends this process."""
    # The SDK's main() makes this class, and takes no other.
    server.ProviderServicer = Servicer  # type: ignore[misc]
    server.main(Provider(), list(arguments))
