"""``tlsctl adopt``: makes a stack of what was set up by hand, without a change of it.

It reads the cluster and the managed zone, writes what the stack's config lacks, and has a preview say what the program
would create. What of that is there already goes into a file for `pulumi import`. It then prints the commands to go on
with; none of them is run here.
"""

import argparse
import functools
import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from components.problem import Problem, ProblemsError, sentence
from components.shell import word, words
from components.specs.names import is_wildcard
from config.production import PROJECT
from tlsctl import ids, printing
from tlsctl.adopt import config, imports, ingress_removal, ingresses, zone
from tlsctl.adopt.cluster import Cluster
from tlsctl.adopt.decisions import Decision, decide
from tlsctl.adopt.objects import Found, has_other_managers, texts
from tlsctl.stack import Stack

_FORCE = "PULUMI_K8S_ENABLE_PATCH_FORCE=true"

_PREVIEW = 600
"""Seconds for a preview."""


def run(stack: Stack, args: argparse.Namespace) -> int:
    """Write the config and the import file, and print what to do with them."""
    console = printing.output()
    file = Path(stack.config_file or f"Pulumi.{stack.name}.yaml")
    with printing.errors().status("reading the stack") as status:
        exists(stack)
        given = _values(stack.read("pulumi config --json --show-secrets"))
        document = config.read(file)
        status.update("reading the cluster and the managed zone")
        cluster, found = _look(args, given)
        decision = decide(found, stack.name, args.challenge or given.get(f"{PROJECT}:challenge") or None)
        hosts = [str(each["host"]) for each in decision.config["hosts"]]
        if owned := list(zone.owned(found.record_sets, hosts, found.zone, found.project)):
            raise ProblemsError(*owned)
        if args.kubeconfig:
            decision.config = {"kubeconfig": args.kubeconfig, **decision.config}
            if "gke" in decision.config:
                decision.config["context"] = args.context or found.context
                del decision.config["gke"]
        completed, kept = config.completed(document, decision.config, found.project)
        if completed != document:
            config.write(file, completed)
    _say_config(console, file, document, completed, kept)
    printing.problems(
        console, stack.addressed(decision.notes), "What the stack does not take over, or changes" * bool(decision.notes)
    )
    with printing.errors().status("previewing what the program would create"):
        written = file.with_name(f"import.{stack.name}.json")
        imported = _import_file(stack, cluster, found.project, written)
    _say_next(console, stack, decision, written, imported)
    return 0


def exists(stack: Stack) -> None:
    """Read a stack, to see whether there is one.

    Raises:
        ProblemsError: there is none, or it cannot be read.
    """
    try:
        stack.read("pulumi stack export")
    except ProblemsError as error:
        if "no stack named" not in str(error):
            raise
        fix = (f"pulumi stack init {words(stack.name)}",)
        raise ProblemsError(Problem(f"stack {stack.name}", "does not exist; it is made empty first", fix)) from None


def _values(printed: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(each.get("value") or "") for name, each in printed.items()}


def _look(args: argparse.Namespace, given: Mapping[str, str]) -> tuple[Cluster, Found]:
    kubeconfig = args.kubeconfig or given.get(f"{PROJECT}:kubeconfig") or None
    cluster = Cluster(kubeconfig, args.context or given.get(f"{PROJECT}:context") or None)
    project = args.project or given.get("gcp:project") or ""
    if not project or config.is_placeholder(project):
        fix = ("gcloud config get project", "uv run python -m tlsctl adopt --project PROJECT")
        raise ProblemsError(Problem("--project", "is needed: the project of the managed zone", fix))
    read = cluster.read()
    dns = zone.CloudDns(project, given)
    named = [host for each in read["virtual_services"] for host in texts(each, "spec", "hosts") if "." in host]
    named += [host for each in read["ingresses"] for host in ingresses.tls_hosts(each)]
    chosen = zone.choose(dns.zones(), named, args.zone)
    return cluster, Found(
        **read,
        context=args.context or cluster.current_context,
        zone=str(chosen["name"]),
        domain=str(chosen["dnsName"]).rstrip(".").lower(),
        project=project,
        record_sets=dns.record_sets(str(chosen["name"])),
    )


@dataclass(frozen=True)
class _Imported:
    taken: list[imports.Wanted]
    created: list[imports.Wanted]
    """What is left to create."""
    force: bool
    """Whether applies conflict."""
    owned: list[Problem]
    """What would be deleted with an object that owns it."""


def _import_file(stack: Stack, cluster: Cluster, project: str, written: Path) -> _Imported:
    """Write the import file."""
    values = _values(stack.read("pulumi config --json --show-secrets"))

    conflicts: list[bool] = []
    owned: list[Problem] = []

    @functools.cache
    def record_sets(owner: str, name: str) -> set[tuple[str, str]]:
        return {(each["name"], each["type"]) for each in zone.CloudDns(owner, values).record_sets(name)}

    def there(each: imports.Wanted) -> bool:
        if each.type == ids.RECORD_SET:
            sets = record_sets(str(each.inputs["project"]), str(each.inputs["managedZone"]))
            return (each.inputs["name"], each.inputs["type"]) in sets
        if each.type == ids.RELEASE:
            return cluster.has_release(str(each.inputs["namespace"]), str(each.inputs["name"]))
        metadata = each.inputs.get("metadata") or {}
        version = str(each.inputs.get("apiVersion") or "v1")
        kind, namespace = each.type.rpartition(":")[2], metadata.get("namespace") or ""
        if (obj := cluster.get(version, kind, namespace, metadata["name"])) is None:
            return False
        conflicts.append(has_other_managers(obj))
        owned.extend(filter(None, [ingress_removal.release(obj)]))
        return True

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "import.json"
        previewed = stack.read(f"pulumi preview --json --import-file {word(file)}", timeout=_PREVIEW)
        listed = imports.wanted(previewed.get("steps") or (), project)
        filled, taken, created = imports.filled(json.loads(file.read_text()), listed, there)
    written.write_text(json.dumps(filled, indent=2) + "\n")
    return _Imported(taken, created, any(conflicts), owned)


def _say_config(
    console: Console, file: Path, before: Mapping[str, Any], after: Mapping[str, Any], kept: Iterable[str]
) -> None:
    added = [name for name, value in after["config"].items() if (before.get("config") or {}).get(name) != value]
    if added:
        printing.say(console, f"{file} has what was found: {', '.join(each.rpartition(':')[2] for each in added)}.")
    if kept := list(kept):
        printing.say(console, f"{file} keeps what it says otherwise: {', '.join(kept)}.")


def _say_next(
    console: Console,
    stack: Stack,
    decision: Decision,
    written: Path,
    imported: _Imported,
) -> None:
    printing.say(console, f"\n{written} takes over {_listed(imported.taken)}.")
    printing.say(console, f"The `up` creates beside them {_listed(imported.created)}.")
    steps: list[tuple[str, list[str]]] = []
    if decision.before:
        copies = written.with_name(f"before.{stack.name}.json")
        copies.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": decision.before}, indent=2) + "\n")
        steps.append(("keep requests answered while routes change hands", [f"kubectl apply --filename {word(copies)}"]))
    steps += [(f"let it go: {sentence(each)}", list(each.fix)) for each in imported.owned]
    steps.append(("take over", [f"pulumi import --file {word(written)} --protect=false --generate-code=false --yes"]))
    # Whoever applied the objects owns their fields, until the stack takes them over by force, once.
    forced = f"{_FORCE} " if imported.force else ""
    steps.append(("look: nothing is replaced, nothing is deleted", [f"{forced}pulumi preview --diff"]))
    if decision.elsewhere:
        hosts = ", ".join(decision.elsewhere)
        steps.append((f"all but the records of {hosts}", [f"{forced}pulumi up {excluded(decision, imported.taken)}"]))
        asked = [
            f"curl --resolve {each}:443:{decision.address} https://{each}/"
            for each in decision.elsewhere
            if not is_wildcard(each)
        ]
        steps.append(("look: the gateway serves at its own address", asked))
        steps.append(("and then the records", ["pulumi up"]))
    else:
        steps.append(("bring it to what the config says", [f"{forced}pulumi up"]))
        if imported.force:
            steps.append(("take the force back: it changes the provider, and nothing else", ["pulumi up"]))
    printing.problems(
        console,
        stack.addressed(decision.before_notes),
        "\nBefore a certificate can be signed" * bool(decision.before_notes),
    )
    console.print("\nTo go on:")
    for number, (what, commands) in enumerate(steps, start=1):
        printing.say(console, f"{number}. {what}")
        for command in commands:
            console.print("   ", end="")
            printing.command(console, stack.address(command))
    printing.problems(
        console, decision.after, "\nAfter the `up`, in this order, so that HTTPS does not stop" * bool(decision.after)
    )


def excluded(decision: Decision, taken: Iterable[imports.Wanted]) -> str:
    """Return the options by which an `up` leaves the records of the hosts that lead elsewhere.

    They name what is imported alone: where a record set is left out that is not in the state, Pulumi (3.259) writes a
    state without it, in which others depend on it, and refuses that state from then on.
    """
    moving = {f"{host}." for host in decision.elsewhere}
    records = [each for each in taken if each.type == ids.RECORD_SET and each.inputs["name"] in moving]
    return " ".join(f"--exclude '**RecordSet::{each.name}'" for each in records)


def _listed(resources: list[imports.Wanted]) -> str:
    return ", ".join(each.described for each in resources) or "nothing"
