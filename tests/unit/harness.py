"""Runs a program under Pulumi mocks and records what it asked of the engine."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import SETTINGS, set_root_resource
from pulumi.runtime.stack import run_in_stack

from components.problem import COMMANDS

PROJECT = "istio-gateway-tls"
CERTIFICATE = "kubernetes:cert-manager.io/v1:Certificate"
ISSUER = "kubernetes:cert-manager.io/v1:ClusterIssuer"
GATEWAY = "kubernetes:networking.istio.io/v1:Gateway"
VIRTUAL_SERVICE = "kubernetes:networking.istio.io/v1:VirtualService"
RELEASE = "kubernetes:helm.sh/v3:Release"
RECORD = "gcp:dns/recordSet:RecordSet"

AUTHORITY = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nQ0E=\n-----END CERTIFICATE-----\n").decode()
"""The CA of a GKE cluster, as Google returns it."""


def account(environment: str) -> str:
    """The URI of an issuer's ACME account."""
    return f"https://{environment}.test/acct/1"


@dataclass(frozen=True)
class Registered:
    """A resource, as the engine was asked for it."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    shown: str
    """The inputs as the state has them: without the values of secrets."""
    parent: str
    dependencies: frozenset[str]
    protect: bool
    provider: str
    version: str
    urn: str
    aliases: tuple[tuple[str, str], ...] = ()
    """The names that it had before, each with the URN of the parent that it had."""


@dataclass
class Recorder(mocks.Mocks):
    """Answers as the providers would, and keeps what was asked, in order."""

    zone_domain: str = "sandbox.test."
    endpoint: str = "192.0.2.1"
    cluster: Mapping[str, Any] = field(default_factory=dict)
    """More of the GKE cluster, as the provider's function returns it."""
    resources: list[Registered] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    hooks: list[str] = field(default_factory=list)
    """The names of the hooks that were registered."""
    versions: dict[str, str] = field(default_factory=dict)
    """Which version of its provider each function was asked of."""

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        if args.token == "gcp:dns/getManagedZone:getManagedZone":
            domain = "proofs.test." if args.args["name"] == "proofs" else self.zone_domain
            return {**args.args, "dnsName": domain, "visibility": "public"}, []
        if args.token == "gcp:organizations/getProject:getProject":
            number = "42" if args.args["projectId"] == "platform" else ""
            return {"number": number}, [] if number else [("projectId", "googleapi: Error 403: forbidden")]
        if args.token == "gcp:dns/getRecordSets:getRecordSets":
            return {**args.args, "rrsets": []}, []
        assert args.token == "gcp:container/getCluster:getCluster", f"unexpected invoke {args.token}"
        authority = {"clusterCaCertificate": AUTHORITY, "clientCertificate": "", "clientKey": ""}
        return {**args.args, "endpoint": self.endpoint, "masterAuths": [authority], **self.cluster}, []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        state = dict(args.inputs)
        if args.typ.endswith("Issuer"):
            state["status"] = {"acme": {"uri": account(args.name.rpartition("-")[2])}}
        if args.typ == CERTIFICATE:
            state["status"] = {"notAfter": "2026-06-01T00:00:00Z", "renewalTime": "2026-05-01T00:00:00Z"}
        return f"{args.name}-id", state

    def of(self, type_: str) -> list[Registered]:
        return [resource for resource in self.resources if resource.type == type_]

    def named(self, name: str) -> Registered:
        return next(resource for resource in self.resources if resource.name == name)

    def __iter__(self) -> Iterator[Registered]:
        return iter(self.resources)


class Monitor(mocks.MockMonitor):
    """The mock monitor, with the options that it would otherwise drop."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self.recorder = recorder

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (gRPC's name)
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            self.recorder.resources.append(
                Registered(
                    type=request.type,
                    name=request.name,
                    inputs=rpc.deserialize_properties(request.object),
                    shown=json.dumps(_masked(MessageToDict(request.object))),
                    parent=request.parent,
                    dependencies=frozenset(request.dependencies),
                    protect=request.protect,
                    provider=request.provider,
                    version=request.version,
                    urn=answer.urn,
                    aliases=tuple((alias.spec.name, alias.spec.parentUrn) for alias in request.aliases),
                )
            )
        return answer

    def Invoke(self, request: Any) -> Any:  # noqa: N802 (gRPC's name)
        self.recorder.versions[request.tok] = request.version
        return super().Invoke(request)  # type: ignore[no-untyped-call]

    def RegisterResourceHook(self, request: Any) -> Any:  # noqa: N802 (gRPC's name)
        self.recorder.hooks.append(request.name)
        return super().RegisterResourceHook(request)  # type: ignore[no-untyped-call]

    def RegisterErrorHook(self, request: Any) -> Any:  # noqa: N802 (gRPC's name)
        self.recorder.hooks.append(request.name)
        return super().RegisterErrorHook(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 (gRPC's name)
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.recorder.outputs = rpc.deserialize_properties(request.outputs)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
            return "[secret]"
        return {key: _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def run(
    program: Callable[[], Any],
    config: Mapping[str, Any] | None = None,
    *,
    stack: str = "test",
    preview: bool = False,
    secret: tuple[str, ...] = (),
    recorder: Recorder | None = None,
) -> Recorder:
    """Run `program` to its end and return the resources that it registered; its errors are raised as they are.

    `secret` lists the keys of the config that are secrets.
    """
    recorder = recorder or Recorder()
    loops = [asyncio.new_event_loop()]
    asyncio.set_event_loop(loops[0])

    def begin_thread() -> None:
        # The mock monitor wants a loop on each thread that it answers from; this one is closed again.
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    try:
        # One thread: the order in which resources are registered is the order in which they may be.
        with ThreadPoolExecutor(max_workers=1, initializer=begin_thread) as executor:
            loops[0].set_default_executor(executor)
            hidden = [key if ":" in key else f"{PROJECT}:{key}" for key in secret]
            pulumi.runtime.set_all_config(engine_config(config or {}), hidden)
            mocks.set_mocks(recorder, PROJECT, stack, preview, monitor=Monitor(recorder))
            # set_mocks makes a Stack that is finished already; run_in_stack makes one that takes the exports.
            set_root_resource(None)  # type: ignore[arg-type]
            loops[0].run_until_complete(run_in_stack(program))
    finally:
        COMMANDS.clear()
        _forget(loops[0])
        asyncio.set_event_loop(None)
        for loop in loops:
            loop.close()
    return recorder


def _forget(loop: asyncio.AbstractEventLoop) -> None:
    """End what a failed program has left waiting; the SDK keeps outputs for the whole process."""
    SETTINGS.outputs.clear()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def engine_config(config: Mapping[str, Any]) -> dict[str, str]:
    """Return a stack config as the engine hands it over: by full keys, scalars as strings, objects as JSON."""
    return {
        key if ":" in key else f"{PROJECT}:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
    }


def good_config(**changes: Any) -> dict[str, Any]:
    """Return a config that is accepted, with some keys of it changed."""
    return {
        "gcp:project": "platform",
        "kubeconfig": "/nowhere/kubeconfig",
        "acme": {"email": "platform@sandbox.test", "issuer": "staging"},
        "dns": {"zone": "sandbox"},
        "hosts": [{"host": "shop.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}],
        **changes,
    }
