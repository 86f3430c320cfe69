"""``tlsctl adopt``: turns what was set up by hand into a stack, without changing it.

It reads the cluster and the managed zone, adds missing values to the stack's config, and previews what the program
would create. What exists of that goes into a file for `pulumi import`. It then prints the next commands, and runs none.
"""

import argparse
import functools
import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from components.preflight import ADOPTING
from components.problem import Problem, ProblemsError, sentence
from components.shell import word, words
from components.specs.names import is_wildcard
from config.command import TLSCTL
from config.production import PROJECT
from tlsctl import ids, printing
from tlsctl.adopt import config, imports, ingresses, zone
from tlsctl.adopt.cluster import Cluster
from tlsctl.adopt.decisions import Decision, decide
from tlsctl.adopt.ingress_removal import release_from_owners
from tlsctl.adopt.objects import Inventory, Object, has_other_managers, texts
from tlsctl.stack import Stack


def run(stack: Stack, args: argparse.Namespace) -> int:
    """Write the config and the import file, and print what to do with them.

    Raises:
        ProblemsError: the stack, the cluster or the zone cannot be read, or external-dns owns a record.
    """
    console = printing.output()
    file, written = files(stack)
    with printing.errors().status("reading the stack") as status:
        _require_stack(stack)
        printed = stack.read("pulumi config --json --show-secrets")
        values = {name: str(entry.get("value") or "") for name, entry in printed.items()}
        document = config.read(file)
        status.update("reading the cluster and the managed zone")
        cluster, inventory = _read(args, values)
        decision = decide(inventory, stack.short_name, args.challenge or values.get(f"{PROJECT}:challenge") or None)
        hosts = [str(host["host"]) for host in decision.config["hosts"]]
        if owned := list(zone.owned(inventory.record_sets, hosts, inventory.zone, inventory.project)):
            raise ProblemsError(*owned)
        if args.kubeconfig:
            decision.config = {"kubeconfig": args.kubeconfig, **decision.config}
            if decision.config.pop("gke", None):
                decision.config["context"] = args.context or inventory.context
        completed, kept = config.completed(document, decision.config, inventory.project)
        if completed != document:
            config.write(file, completed)
    before, after = document.get("config") or {}, completed["config"]
    if added := [name.rpartition(":")[2] for name, value in after.items() if before.get(name) != value]:
        printing.say(console, f"Added to {file}: {', '.join(added)}.")
    if kept:
        printing.say(console, f"Kept in {file}, although the cluster differs: {', '.join(kept)}.")
    printing.problems(console, stack.addressed(decision.notes), "What the stack does not take over, or changes")
    with printing.errors().status("previewing what the program would create"):
        imported = _import(stack, cluster, values, inventory.project, written)
    _say_next(console, stack, decision, written, imported)
    return 0


def files(stack: Stack) -> tuple[Path, Path]:
    """Return the stack's config file, and the import file beside it."""
    file = Path(stack.config_file or f"Pulumi.{stack.short_name}.yaml")
    return file, file.with_name(f"import.{stack.short_name}.json")


def _require_stack(stack: Stack) -> None:
    try:
        stack.read("pulumi stack export")
    except ProblemsError as error:
        if "no stack named" not in str(error):
            raise
        fix = (f"pulumi stack init {words(stack.name)}",)
        raise ProblemsError(Problem(f"stack {stack.name}", "does not exist; create it empty first", fix)) from None


def _read(args: argparse.Namespace, values: Mapping[str, str]) -> tuple[Cluster, Inventory]:
    kubeconfig = args.kubeconfig or values.get(f"{PROJECT}:kubeconfig") or None
    cluster = Cluster(kubeconfig, args.context or values.get(f"{PROJECT}:context") or None)
    project = args.project or values.get("gcp:project") or ""
    if not project or config.is_placeholder(project):
        fix = ("gcloud config get project", f"{TLSCTL} adopt --project PROJECT")
        raise ProblemsError(Problem("--project", "is needed: the project of the managed zone", fix))
    fields = cluster.read()
    dns = zone.CloudDns(project, values)
    hosts = [host for route in fields["virtual_services"] for host in texts(route, "spec", "hosts") if "." in host]
    hosts += [host for route in fields["http_routes"] for host in texts(route, "spec", "hostnames")]
    hosts += [host for ingress in fields["ingresses"] for host in ingresses.tls_hosts(ingress)]
    chosen = zone.choose(dns.zones(), hosts, args.zone)
    return cluster, Inventory(
        **fields,
        context=args.context or cluster.current_context,
        zone=str(chosen["name"]),
        domain=str(chosen["dnsName"]).rstrip(".").lower(),
        project=project,
        record_sets=dns.record_sets(str(chosen["name"])),
    )


@dataclass(frozen=True)
class _Import:
    imported: list[imports.Planned]
    created: list[imports.Planned]
    conflicts: bool
    """Whether another program manages fields of an object."""
    owned: list[Problem]
    """Objects that would be deleted with an owner."""


def _import(stack: Stack, cluster: Cluster, values: Mapping[str, str], project: str, written: Path) -> _Import:
    existing: list[Object] = []

    @functools.cache
    def record_sets(project: str, zone_name: str) -> set[tuple[str, str]]:
        sets = zone.CloudDns(project, values).record_sets(zone_name)
        return {(record["name"], record["type"]) for record in sets}

    def exists(resource: imports.Planned) -> bool:
        inputs = resource.inputs
        if resource.type == ids.RECORD_SET:
            sets = record_sets(str(inputs["project"]), str(inputs["managedZone"]))
            return (inputs["name"], inputs["type"]) in sets
        if resource.type == ids.RELEASE:
            return cluster.has_release(str(inputs["namespace"]), str(inputs["name"]))
        metadata = inputs.get("metadata") or {}
        version, kind = str(inputs.get("apiVersion") or "v1"), resource.type.rpartition(":")[2]
        if obj := cluster.get(version, kind, metadata.get("namespace") or "", metadata["name"]):
            existing.append(obj)
        return obj is not None

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "import.json"
        command = f"pulumi preview --json --import-file {word(file)}"
        preview = stack.read(command, timeout=600, environment={ADOPTING: "true"})
        resources = imports.planned(preview.get("steps") or (), project)
        content, imported, created = imports.completed(json.loads(file.read_text()), resources, exists)
    written.write_text(json.dumps(content, indent=2) + "\n")
    owned = list(filter(None, map(release_from_owners, existing)))
    return _Import(imported, created, any(map(has_other_managers, existing)), owned)


def _say_next(console: Console, stack: Stack, decision: Decision, written: Path, result: _Import) -> None:
    printing.say(console, f"\n{written} imports {_labels(result.imported)}.")
    printing.say(console, f"The `up` also creates {_labels(result.created)}.")
    printing.problems(console, stack.addressed(decision.before_notes), "\nBefore a certificate can be signed")
    console.print("\nTo go on:")
    for number, (what, commands) in enumerate(_steps(decision, written, result), start=1):
        printing.say(console, f"{number}. {what}")
        for command in commands:
            console.print("   ", end="")
            printing.command(console, stack.address(command))
    printing.problems(
        console, stack.addressed(decision.after), "\nAfter the `up`, in this order, so that HTTPS does not stop"
    )


def _labels(resources: list[imports.Planned]) -> str:
    return ", ".join(resource.label for resource in resources) or "nothing"


def _steps(decision: Decision, written: Path, result: _Import) -> list[tuple[str, list[str]]]:
    """Return what each further step does, and its commands; write the objects that the first one applies."""
    steps: list[tuple[str, list[str]]] = []
    if decision.before:
        copies = written.with_name(f"before.{written.name.removeprefix('import.')}")
        copies.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": decision.before}, indent=2) + "\n")
        steps.append(("keep requests answered while routes change", [f"kubectl apply --filename {word(copies)}"]))
    steps += [(f"release it: {sentence(problem)}", list(problem.fix)) for problem in result.owned]
    steps.append(("take over", [f"pulumi import --file {word(written)} --protect=false --generate-code=false --yes"]))
    # The program that applied the objects manages their fields, until the stack takes them over by force, once.
    forced = "PULUMI_K8S_ENABLE_PATCH_FORCE=true " if result.conflicts else ""
    steps.append(("check that nothing is replaced or deleted", [f"{forced}pulumi preview --diff"]))
    if decision.elsewhere:
        hosts = ", ".join(decision.elsewhere)
        urls = [
            f"curl --resolve {word(f'{host}:443:{decision.address}')} {word(f'https://{host}/')}"
            for host in decision.elsewhere
            if not is_wildcard(host)
        ]
        up = f"{forced}pulumi up {excluded(decision, result.imported)}"
        steps.append((f"update everything except the records of {hosts}", [up]))
        steps.append(("check that the gateway serves at its own address", urls))
        steps.append(("update the records", ["pulumi up"]))
    else:
        steps.append(("apply the config", [f"{forced}pulumi up"]))
        if forced:
            steps.append(("stop using force, which changes only the provider", ["pulumi up"]))
    return steps


def excluded(decision: Decision, imported: Iterable[imports.Planned]) -> str:
    """Return the options by which an `up` leaves out the records of the hosts that lead elsewhere.

    They name only imported records: if a record set is left out that is not in the state, Pulumi (3.259) writes a state
    without it in which other resources depend on it, and then refuses that state.
    """
    moving = {f"{host}." for host in decision.elsewhere}
    records = [one for one in imported if one.type == ids.RECORD_SET and one.inputs["name"] in moving]
    return " ".join(f"--exclude {word(f'**RecordSet::{record.name}')}" for record in records)
