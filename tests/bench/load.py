"""A renewal, and the change from staging to prod, under a load of 500 requests a second."""

import datetime
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
from tests.bench.conftest import Bench, log
from tests.bench.figures import LOAD, Figure
from tests.sandbox.stack import Stack, certificate_of

RATE, NEW = 500, 50
"""Requests a second, and how many of them open a connection of their own."""
PROGRAM = "BENCH_VEGETA"
"""The environment variable with the path of the load generator."""
_ROOTS = "/run/sandbox/acme/staging-root.pem,/run/sandbox/acme/prod-root.pem"
_TIMEOUT = 300
_END = 30
"""Seconds for the generator to end."""
_ALONE = 10
"""Seconds of load while nothing happens."""
_LONGEST = 600
"""Seconds after which the load ends in any case."""


@dataclass(frozen=True)
class Seen:
    """The results of a load.

    Attributes:
        requests: How many were sent.
        failed: How many were not answered with 200.
        gap: The longest time without a success, in seconds.
        seconds: From the first request to the last answer.
        problems: The failures in the generator's words, each once.
    """

    requests: int
    failed: int
    gap: float
    seconds: float
    problems: tuple[str, ...] = ()


def read(lines: Iterable[str]) -> Seen:
    """Return the results that the generator wrote, a JSON object on each line."""
    succeeded, times, problems, count, failed = [], [], {}, 0, 0
    for line in lines:
        result = json.loads(line)
        sent = datetime.datetime.fromisoformat(result["timestamp"]).timestamp()
        answered = sent + result["latency"] / 1e9
        times += [sent, answered]
        count += 1
        if result["error"] or result["code"] != 200:
            failed += 1
            problems[result["error"] or str(result["code"])] = True
        else:
            succeeded.append(answered)
    first, last = min(times), max(times)
    moments = sorted([first, *succeeded, last])
    gap = max(after - before for before, after in itertools.pairwise(moments))
    return Seen(count, failed, gap, last - first, tuple(problems))


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
        eventually("the load has begun", lambda: all(file.exists() and file.stat().st_size for file in files), _TIMEOUT)
        yield files


def _end(process: "subprocess.Popen[bytes]") -> None:
    # After the first SIGINT it waits for open requests; a second one would cut them off.
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _seen(host: str, folder: Path, work: Callable[[], object]) -> Seen:
    """Return the results of a load that runs beside some work."""
    with _attack(host, folder) as files:
        work()
    encoded = subprocess.run(
        [os.environ[PROGRAM], "encode", "-to=json", *map(str, files)],
        capture_output=True, text=True, timeout=_TIMEOUT, check=True,
    )  # fmt: skip
    return read(encoded.stdout.splitlines())


def measure_load(bench: Bench, stack: Stack, host: str, suffix: str = "") -> None:
    """Measure both changes of a stack that is up."""
    trust = client.trusting(STAGING)
    old, certificate = client.https(host, trust).serial, certificate_of(host)

    def renewal() -> None:
        renew(certificate)
        client.another(host, trust, old, _TIMEOUT)

    def change_to_prod() -> None:
        stack.configure(acme={"issuer": "prod"})
        stack.up()
        eventually("prod's certificate is served", lambda: client.served(host, client.trusting(PROD)), _TIMEOUT)

    works: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "a renewal": (renewal, lambda: time.sleep(_ALONE)),
        "staging to prod": (change_to_prod, stack.up),
    }
    for name, (work, floor) in works.items():
        log.info("load: %s, after the same load while nothing changes", name)
        name += suffix
        idle, seen = _seen(host, bench.folder, floor), _seen(host, bench.folder, work)
        if seen.problems:
            log.warning("%s: requests failed: %s", name, "; ".join(seen.problems))
        for figure in figures(name, seen, idle):
            bench.record(figure)


def figures(name: str, seen: Seen, idle: Seen) -> list[Figure]:
    """Return the figures of a load, beside those of the same one while nothing changed."""
    failed = f"{name}: failed, of {seen.requests:,} requests in {seen.seconds:.0f} s"
    gap = f"{name}: longest time without a success"
    return [
        Figure(LOAD, failed, [seen.failed], [idle.failed], unit="requests", most=0),
        Figure(LOAD, gap, [seen.gap * 1000], [idle.gap * 1000], unit="ms"),
    ]
