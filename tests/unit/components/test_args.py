"""What holds of every args class: the schema, the docs page, what is accepted and what stack config sees are one."""

import inspect
from typing import Any

import pulumi
import pytest
from pulumi.provider.experimental.util import camel_case
from pydantic import BaseModel

from components import args, inputs
from components.fields import COMPONENT_NAME
from plugin.provider import COMPONENTS, Provider
from tests.unit.components.support import TLS

PROVIDER = Provider()
POOL = "projects/42/locations/global/workloadIdentityPools/platform.svc.id.goog"
CLASSES: dict[str, Any] = {
    component.__name__: inspect.get_annotations(component.__init__)["args"] for component in COMPONENTS
} | {name: definition.python_type for name, definition in PROVIDER.analyzer.type_definitions.items()}


def described(name: str) -> Any:
    """The properties of a component or type in the schema."""
    components, types = PROVIDER._component_defs, PROVIDER.analyzer.type_definitions
    return components[name].inputs if name in components else types[name].properties


def model(args_class: Any) -> type[BaseModel]:
    """What a component accepts."""
    accepted_model = args.model_in(args.component_type(args_class, inputs._deferring))
    assert accepted_model is not None
    return accepted_model


@pytest.mark.parametrize("name", CLASSES)
def test_an_args_class_is_what_is_accepted(name: str) -> None:
    fields = model(CLASSES[name]).model_fields
    properties = described(name)
    assert [camel_case(field) for field in fields] == list(properties), "and nothing is refused that is described"
    assert {camel_case(key) for key, field in fields.items() if field.is_required()} == {
        key for key, property_ in properties.items() if not property_.optional
    }


@pytest.mark.parametrize("name", CLASSES)
def test_every_field_has_a_sentence(name: str) -> None:
    assert set(args.docstrings(CLASSES[name])) == set(inspect.get_annotations(CLASSES[name]))


def complete(component: type) -> Any:
    """The required inputs of a component."""
    by_name: dict[str, Any] = {
        "AcmeIssuers": {"email": "platform@sandbox.test"},
        "CaaRecords": {"hosts": [{"host": "a.test"}], "accounts": {"prod": "https://ca.test/1"}, "zone": "sandbox"},
        "CertManager": {},
        "CertificateAlerts": {"prometheus": "gmp", "certificates": ["certs"]},
        "CertificateDashboard": {"certificates": ["certs"]},
        "ChallengeDelegations": {"hosts": ["a.test"], "domain": "proofs.test", "zone": "sandbox"},
        "Dns01Identity": {"zone": "sandbox", "pool": POOL, "role_id": "dns01"},
        "DnsRecords": {"hosts": ["a.test"], "zone": "sandbox", "ip": "192.0.2.1"},
        "GatewayCertificate": {"issuer": "ca", "credentials": TLS["credentials"]},
        "HttpGateway": {"hosts": ["a.test"]},
        "IngressGateway": {},
        "MutualTls": {"mode": "strict", "namespaces": []},
        "ReservedAddress": {"ip": "192.0.2.1", "region": "europe-west1"},
        "ReservedHosts": {"hosts": ["a.test"]},
        "TlsGateway": TLS,
    }
    return by_name[component.__name__]


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.__name__)
def test_the_default_on_the_page_is_the_one_that_is_used(component: Any) -> None:
    args_class = CLASSES[component.__name__]
    required = complete(component)
    resource: Any = pulumi.ComponentResource.__new__(component)
    applied = inputs.check_inputs(resource, "own", required, args_class)
    for name, field in args.config_model(args_class, BaseModel).model_fields.items():
        if name not in required and not nested(field.default):
            expected = "own" if field.default == COMPONENT_NAME.value else field.default
            assert applied[name] == (list(expected) if isinstance(expected, tuple) else expected), name


def nested(default: Any) -> bool:
    """Whether a default gets more defaults inside."""
    return isinstance(default, dict | list)
