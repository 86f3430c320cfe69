"""How long verify takes by the number of hosts, beside one handshake with each; run inside a sandbox."""

import socket
import ssl

from components.specs import acme
from tests.bench import scale
from tests.bench.results import Figure, Goal
from tests.bench.runs import Bench
from tests.bench.served_hosts import Authority, served, stack
from tlsctl.verify.environment import Environment
from tlsctl.verify.records import make_resolver
from tlsctl.verify.run import Options, look

GROUP = "`tlsctl verify`"
_AGAINST = "one TLS handshake with each host, one after the other, that verifies the chain"
_NOTE = "Without the start of the command, which `tlsctl --help` below tells."
_GOALS = {100: Goal(most=15), 1000: Goal(most=60)}
_FIRST = 2
_WITHOUT_CERTIFICATES = {"certificate", "issuer"}
"""Checks that fail here."""
_RUNS = {2: 5, 30: 5, 100: 3, 1000: 1}


def figures(bench: Bench) -> None:
    """Measure it for each number of hosts."""
    for number in bench.sizes(2, 30, 100, 1000):
        for grouping in acme.GROUPINGS:
            _measure(bench, number, grouping)


def _measure(bench: Bench, number: int, grouping: str) -> None:
    authority, environment = Authority(), stack(number, grouping)
    file = bench.folder / "root.pem"
    file.write_bytes(authority.root)
    wrong: set[str] = set()

    def verify() -> None:
        report = look([environment], Options(make_resolver(None), file), lambda _: None)
        wrong.update({each.check for each in report.results if each.state == "failed"} - _WITHOUT_CERTIFICATES)

    what = f"{number:,} hosts, {grouping}"
    bench.say(f"verify: {what}: making them")
    before = scale.memory()
    with served(environment, authority):
        if number == _FIRST:
            verify()  # It loads what it needs.
        works = {"ours": verify, "handshakes": lambda: handshakes(environment, authority)}
        taken = bench.turns(f"verify: {what}", works, bench.times(_RUNS[number]))
        if bench.quick or number == scale.HOSTS:
            scale.secrets(bench, environment, authority, before)
    note = f"{_NOTE} With {what}, checks failed that should not: {', '.join(sorted(wrong))}." if wrong else _NOTE
    goal = _GOALS.get(number)
    bench.results.add(Figure(GROUP, what, taken["ours"], taken["handshakes"], _AGAINST, goal=goal, note=note))


def handshakes(environment: Environment, authority: Authority) -> None:
    """Have a handshake with each host."""
    context = ssl.create_default_context(cadata=authority.root.decode())
    for host in environment.hosts:
        with (
            socket.create_connection((environment.ip, 443), 10) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            pass
