"""A renewal, and the change from staging to prod, while 500 requests a second come in."""

import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.acme import PROD, STAGING
from sandbox.testing import client, eventually, renew
from tests.bench.results import Figure, Goal
from tests.bench.runs import Bench
from tests.sandbox.stack import Stack

RATE, NEW = 500, 50
"""Requests a second, and how many of them have a connection of their own."""
PROGRAM = "BENCH_VEGETA"
"""The environment variable with the path of the load generator."""
_ROOTS = "/run/sandbox/acme/staging-root.pem,/run/sandbox/acme/prod-root.pem"
_TIMEOUT = 300
_END = 30
"""Seconds for it to end."""
_ALONE = 10
"""Seconds of load while nothing happens."""
_LONGEST = 600
"""Seconds after which the load ends in any case."""
_NOTE = (
    f"The load is [vegeta](https://github.com/tsenart/vegeta): {RATE} requests a second, {NEW} of them each in a new "
    "connection, whose handshake verifies the chain. The floor is the same load while nothing changes: for the "
    "renewal 10 s of it, for the other one while `pulumi up` finds nothing to do, since all of them share the machine."
)


@dataclass(frozen=True)
class Seen:
    """What the load saw."""

    requests: int
    failed: int
    gap: float
    """The longest time without a success, in seconds."""
    seconds: float
    """From the first request to the last answer."""
    problems: tuple[str, ...] = ()
    """What failed, in the generator's words, each once."""


def read(lines: Iterable[str]) -> Seen:
    """Return what the results of the load say, which are a JSON object on each line."""
    succeeded, times, problems, count, failed = [], [], {}, 0, 0
    for line in lines:
        each = json.loads(line)
        sent = _seconds(each["timestamp"])
        answered = sent + each["latency"] / 1e9
        times += [sent, answered]
        count += 1
        if each["error"] or each["code"] != 200:
            failed += 1
            problems[each["error"] or str(each["code"])] = True
        else:
            succeeded.append(answered)
    first, last = min(times), max(times)
    moments = sorted([first, *succeeded, last])
    gap = max(after - before for before, after in itertools.pairwise(moments))
    return Seen(count, failed, gap, last - first, tuple(problems))


def _seconds(time: str) -> float:
    """Return the seconds of the day of a time with nanoseconds, which datetime does not read."""
    hours, minutes, rest = time.partition("T")[2].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest.rstrip("Z").partition("+")[0].partition("-")[0])


@contextmanager
def _attack(host: str, folder: Path) -> Iterator[list[Path]]:
    """Ask for a host's page while the block runs; yield the files of the results."""
    targets = folder / "targets.txt"
    targets.write_text(f"GET https://{host}/\n")
    files = [folder / "kept.bin", folder / "new.bin"]
    kinds = ((RATE - NEW, "true"), (NEW, "false"))
    with ExitStack() as ends:
        for file, (rate, kept) in zip(files, kinds, strict=True):
            file.unlink(missing_ok=True)
            argv = [
                os.environ[PROGRAM], "attack", f"-rate={rate}", f"-duration={_LONGEST}s", f"-keepalive={kept}",
                "-timeout=10s", f"-root-certs={_ROOTS}", f"-targets={targets}", f"-output={file}",
            ]  # fmt: skip
            process = ends.enter_context(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            ends.callback(_end, process)
        eventually("the load has begun", lambda: all(map(_has_results, files)), _TIMEOUT)
        yield files


def _has_results(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def _end(process: "subprocess.Popen[bytes]") -> None:
    # After the first one it waits for what is under way; a second one would cut that off.
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _seen(host: str, folder: Path, work: Callable[[], object]) -> Seen:
    """Return what the load sees while something is done."""
    with _attack(host, folder) as files:
        work()
    encoded = subprocess.run(
        [os.environ[PROGRAM], "encode", "-to=json", *map(str, files)],
        capture_output=True, text=True, timeout=_TIMEOUT, check=True,
    )  # fmt: skip
    return read(encoded.stdout.splitlines())


def measure(bench: Bench, stack: Stack, host: str) -> None:
    """Measure both, of a stack that stands."""
    secret = stack.get("certificate")["secretName"]
    trust = client.trusting(STAGING)
    old = client.https(host, trust).serial

    def renewal() -> None:
        renew(secret)
        eventually(
            "the new certificate is served", lambda: client.served(host, trust), _TIMEOUT,
            until=lambda answer: answer.serial != old,
        )  # fmt: skip

    def flip() -> None:
        stack.configure(acme={"issuer": "prod"})
        stack.up()
        eventually("prod's certificate is served", lambda: client.served(host, client.trusting(PROD)), _TIMEOUT)

    works: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "a renewal": (renewal, lambda: time.sleep(_ALONE)),
        "staging to prod": (flip, stack.up),
    }
    for name, (work, floor) in works.items():
        bench.say(f"load: {name}: while nothing changes")
        idle = _seen(host, bench.folder, floor)
        bench.say(f"load: {name}")
        bench.results.add(*figures(name, _seen(host, bench.folder, work), idle))


def figures(name: str, seen: Seen, idle: Seen) -> list[Figure]:
    """Return the figures of a load, beside those of the same one while nothing changed."""
    group = f"Under {RATE} requests a second"
    rate = f"{seen.requests:,} requests in {seen.seconds:.0f} s"
    why = f" What failed during {name}: {'; '.join(seen.problems)}." if seen.problems else ""
    return [
        Figure(
            group, f"{name}: failed, of {rate}", [seen.failed], [idle.failed], unit="requests", goal=Goal(most=0),
            note=_NOTE,
        ),
        Figure(
            group, f"{name}: longest time without a success", [seen.gap * 1000], [idle.gap * 1000], unit="ms",
            note=why.strip(),
        ),
    ]  # fmt: skip
