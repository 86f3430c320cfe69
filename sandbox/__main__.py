"""The command of the sandbox: start a sandbox, inspect it, run commands in it, end it."""

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from sandbox import doctor, paths, policies, releases, tools
from sandbox.errors import SandboxError
from sandbox.gobuild import Record
from sandbox.instance import Instance, names, start
from sandbox.messages import Status
from sandbox.progress import show
from sandbox.provision import provide

STAGE_TIMEOUT = 180.0
"""Seconds without progress after which `up` gives up; parts and waits have shorter limits."""

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def up(arguments: argparse.Namespace) -> int:
    """Download or build what is missing, start the sandbox and return when its cluster is ready."""
    if Instance.find(arguments.name):
        out.print(f"Sandbox {arguments.name!r} runs already.")
        return 0
    doctor.require(fix=False)
    plan = replace(provide(out), keep=arguments.keep)
    show(out, start(arguments.name, plan, STAGE_TIMEOUT))
    for program in plan.standins:
        out.print(
            f"[yellow]{program} is the sandbox's stand-in: the real plugin is not installed, and its download failed. "
            f"`{paths.COMMAND} doctor` says how to install it.[/]"
        )
    return 0


def down(arguments: argparse.Namespace) -> int:
    """End the sandbox and everything in it."""
    instance = Instance.find(arguments.name)
    if instance is None:
        out.print(f"No sandbox named {arguments.name!r} runs.")
        return 0
    instance.end()
    out.print(f"Sandbox {arguments.name!r} has ended: its processes, mounts and files are gone.")
    return 0


def status(arguments: argparse.Namespace) -> int:
    """List the parts; the exit code is 1 if one does not run."""
    instance = Instance.find(arguments.name)
    if instance is None:
        if arguments.json:
            out.print_json(data={"name": arguments.name, "state": "down", "running": names()})
        else:
            others = ", ".join(names())
            out.print(f"No sandbox named {arguments.name!r} runs." + (f" Running: {others}" if others else ""))
        return 1
    status = instance.request("status")
    ended = [part for part in status.parts if part.exit_code is not None]
    if arguments.json:
        out.print_json(data=asdict(status))
        return 1 if ended else 0
    table = Table("part", "state", "pid", "ready after", box=None)
    for part in status.parts:
        state = "[green]runs[/]" if part.exit_code is None else f"[red]exited with {part.exit_code}[/]"
        table.add_row(part.name, state, str(part.pid), f"{part.ready_after or 0:.1f} s")
    out.print(table)
    out.print(f"{status.state} for {status.seconds:.0f} s, {_gigabytes(status)}")
    return 1 if ended else 0


def timings(arguments: argparse.Namespace) -> int:
    """Print the duration of every stage of the start; with --builds, of the cold builds as well."""
    status = Instance.require(arguments.name).request("status")
    table = Table("stage", "seconds", "packages", box=None) if arguments.builds else Table("stage", "seconds", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    if arguments.builds:
        _add_builds(table)
    for stage in status.stages:
        table.add_row(stage.title, f"{stage.seconds or 0:.1f}")
    table.add_row("start in all", f"{sum(stage.seconds or 0 for stage in status.stages):.1f}", style="bold")
    out.print(table)
    out.print(_gigabytes(status))
    return 0


def _add_builds(table: Table) -> None:
    total = Record(0, 0)
    for build in tools.builds():
        title, record = f"build {', '.join(build.programs)}", tools.record(build)
        if tools.installed(build):
            table.add_row(title, "installed")
        elif releases.downloaded(build.programs):
            table.add_row(title, "downloaded")
        elif record is None:
            table.add_row(title, "not recorded")
        else:
            table.add_row(title, f"{record.seconds:.1f}", str(record.packages))
            total = Record(total.seconds + record.seconds, total.packages + record.packages)
    table.add_row("cold builds in all", f"{total.seconds:.1f}", str(total.packages), style="bold")


def _gigabytes(status: Status) -> str:
    return f"{status.memory_bytes / 2**30:.1f} GiB of memory in all, including files"


def execute(arguments: argparse.Namespace) -> NoReturn:
    """Run a command inside, in the current folder."""
    argv = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not argv:
        raise SandboxError(f"There is no command to run. For example: {paths.COMMAND} exec -- kubectl get pods -A")
    _become(Instance.require(arguments.name), argv, Path.cwd())


def logs(arguments: argparse.Namespace) -> int:
    """Print the log of a part or a Pod, or list the logs."""
    instance = Instance.require(arguments.name)
    root = Path("/proc") / str(instance.pid) / "root" if instance.pid else Path("/")
    folder = root / paths.LOGS.relative_to("/")
    files = {str(file.relative_to(folder).with_suffix("")): file for file in sorted(folder.rglob("*.log"))}
    if arguments.part is None:
        out.print("\n".join(files), soft_wrap=True)
        return 0
    names = [arguments.part] if arguments.part in files else [name for name in files if arguments.part in name]
    if not names:
        raise SandboxError(f"No log is named {arguments.part!r}; there are: {', '.join(files)}")
    inside = [str(Path("/") / files[name].relative_to(root)) for name in names]
    follow = ["--follow=name"] if arguments.follow else []
    return _become(instance, ["tail", "--lines=+1", *follow, *inside], Path("/"))


def _become(instance: Instance, argv: list[str], cwd: Path) -> NoReturn:
    command = instance.command(argv, cwd)
    try:
        os.execvpe(command[0], command, instance.environment())  # noqa: S606 - replaces this process
    except FileNotFoundError:
        raise SandboxError(f"There is no program {command[0]!r}, inside or outside the sandbox.") from None


def control(arguments: argparse.Namespace) -> int:
    """Stop, kill (like a crash) or start one part, to see how the others react."""
    Instance.require(arguments.name).request(arguments.verb, arguments.part)
    return 0


def policy_pack(arguments: argparse.Namespace) -> int:
    """Print the folder for `pulumi preview --policy-pack` in a sandbox, for a Python pack."""
    out.print(policies.folder(arguments.pack), soft_wrap=True)
    return 0


def diagnose(arguments: argparse.Namespace) -> int:
    """List what this machine lacks and the commands that add it; with --fix, run them."""
    return doctor.run(out, fix=arguments.fix, tests=arguments.tests)


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name: use up to 64 letters, digits, dots, - and _")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=paths.COMMAND, description=__doc__)
    name = os.environ.get("SANDBOX", "default")
    parser.add_argument("--name", type=_name, default=name, help="which sandbox (default: $SANDBOX, or default)")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")

    def add(verb: str, work: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        text = (work.__doc__ or "").strip()
        added = verbs.add_parser(verb, help=text, description=text)
        added.set_defaults(work=work)
        return added

    add("up", up).add_argument("--keep", action="store_true", help="leave it up if its start fails")
    add("down", down)
    add("status", status).add_argument("--json", action="store_true", help="for machines")
    add("timings", timings).add_argument("--builds", action="store_true", help="the recorded builds of the tools, too")
    add("exec", execute).add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD")
    log = add("logs", logs)
    log.add_argument(
        "part", nargs="?", metavar="PART", help="a part, or a piece of a Pod's name (default: list the logs)"
    )
    log.add_argument("-f", "--follow", action="store_true", help="follow the log")
    for verb in ("stop", "kill", "start"):
        add(verb, control).add_argument("part", metavar="PART")
    add("policy-pack", policy_pack).add_argument("pack", type=Path, metavar="FOLDER", help="the pack")
    doctors = add("doctor", diagnose)
    doctors.add_argument("--fix", action="store_true", help="run the commands that add what is missing")
    doctors.add_argument("--tests", action="store_true", help="what `make test` needs, too")
    return parser


def main() -> int:
    """Parse the command line and run its verb."""
    # Commands in the background of a script inherit an ignored SIGINT. Pulumi ends its language host by SIGINT, and
    # would wait five seconds for it in every command.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments = _parser().parse_args()
    try:
        return int(arguments.work(arguments))
    except SandboxError as error:
        err.print(f"[red]error:[/] {error}", markup=True, soft_wrap=True)
    except KeyboardInterrupt:
        err.print("Interrupted. The processes that it started have ended.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
