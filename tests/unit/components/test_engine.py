"""Hooks and lookups of components, as the engine gets them."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

import components
from components import engine
from components.preflight import hooks
from components.record_sets import existing
from tests.unit import harness


def test_the_zone_is_read_by_the_default_provider_of_the_record_sets() -> None:
    def program() -> None:
        records = components.DnsRecords("dns", {"hosts": ["shop.sandbox.test"], "zone": "sandbox", "ip": "192.0.2.1"})
        pulumi.export("records", pulumi.Output.from_input(existing(records, "sandbox", None)))

    done = harness.run(program)

    (record,) = done.of(harness.RECORD)
    assert record.version, "the SDK says which version it is made for"
    assert done.versions["gcp:dns/getRecordSets:getRecordSets"] == record.version, "else the newest one is started too"


def test_components_of_one_name_have_hooks_of_their_own() -> None:
    def program() -> None:
        hosts = ["shop.sandbox.test"]
        for parent in ("a", "b"):
            above = pulumi.ComponentResource(f"test:index:{parent.upper()}", parent)
            options = pulumi.ResourceOptions(parent=above)
            components.DnsRecords("public", {"hosts": hosts, "zone": "sandbox", "ip": "192.0.2.1"}, options)
        components.AcmeIssuers("public", {"email": "platform@sandbox.test"})
        signed: components.GatewayCertificateArgs = {
            "credentials": [{"secret_name": "shop", "hosts": hosts}],
            "issuer": "letsencrypt",
        }
        components.GatewayCertificate("public", signed)

    done = harness.run(program)

    assert len(done.hooks) == len(set(done.hooks)) == 4, "the engine refuses a second hook of a name"


def test_an_error_waits_for_the_hooks_that_look_at_something(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    registered: list[Any] = []
    monkeypatch.setattr(engine, "has_hooks", lambda: True)
    monkeypatch.setattr(pulumi, "ResourceHook", lambda _name, run, _options: registered.append(run))
    component: Any = SimpleNamespace(pulumi_resource_type="test", pulumi_resource_name="a")

    async def program() -> None:
        answered = asyncio.Event()

        async def look(_: pulumi.ResourceHookArgs) -> None:
            await answered.wait()
            ended.append("hook")

        async def fail() -> None:
            await hooks.end_of_hooks()
            ended.append("error")

        hooks.before_create(component, look)
        looking = asyncio.ensure_future(registered[0](None))
        await asyncio.sleep(0)  # it has begun
        failing = asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        answered.set()
        await asyncio.gather(looking, failing)

    asyncio.run(program())
    assert ended == ["hook", "error"], "the engine would report a hook that is cut off as an error of its own"
