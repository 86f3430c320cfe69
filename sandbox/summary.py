"""``python -m sandbox.summary STACK``, inside a sandbox: ask for every host over HTTPS, and say what was seen.

The requests are a client's: the name is resolved by DNS, the chain is verified against the root of the ACME
server that the stack signs with, and nothing is skipped.
"""

import datetime
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from sandbox import acme
from sandbox.errors import SandboxError
from sandbox.instance import Instance

_TIMEOUT = 10
_LISTENING = 20.0
"""Seconds in which the gateway has to listen, once its configuration is in the cluster."""


@dataclass(frozen=True)
class Seen:
    """What one host answered."""

    host: str
    address: str
    status: int
    subject: str
    issuer: str
    names: str
    not_after: str
    redirect: str


def main() -> int:
    """Print the table; the exit code is 1 when a host does not answer over verified HTTPS."""
    console = Console(highlight=False)
    stack = sys.argv[1]
    try:
        outputs = json.loads(_pulumi("stack", "output", "--json", "--stack", stack))
        directory = acme.PROD if "prod" in outputs["issuer"] else acme.STAGING
        trust = ssl.create_default_context(cadata=directory.root())
        rows = [_look_when_listening(url, trust) for url in outputs["urls"]]
    except (OSError, SandboxError) as error:
        console.print(f"[red]error:[/] not served over verified HTTPS: {error}", soft_wrap=True)
        return 1
    console.print(f"Issued by {outputs['issuer']} ({directory.url}), verified against its root:", soft_wrap=True)
    for seen in rows:
        console.print(
            f"  [green]https://{seen.host}[/]  {seen.status} from {seen.address}\n"
            f"    certificate  {seen.subject}, for {seen.names}\n"
            f"    issuer       {seen.issuer}\n"
            f"    not after    {seen.not_after}\n"
            f"    plain HTTP   {seen.redirect}",
            soft_wrap=True,
        )
    _timings(console, stack)
    return 0


def _timings(console: Console, stack: str) -> None:
    table = Table("stage", "seconds", box=None)
    table.columns[1].justify = "right"
    status = Instance.require(os.environ["SANDBOX"]).request("status")
    for step in status["steps"]:
        table.add_row(step["step"], f"{step['seconds']:.1f}")
    last = json.loads(_pulumi("stack", "history", "--json", "--stack", stack))[0]
    began, ended = (datetime.datetime.fromisoformat(last[key]) for key in ("startTime", "endTime"))
    table.add_row(f"pulumi {last['kind']}", f"{(ended - began).total_seconds():.1f}")
    console.print(table)
    console.print(f"{status['memory_bytes'] / 2**30:.1f} GiB of memory in all, files included")


def _pulumi(*arguments: str) -> str:
    done = subprocess.run(["pulumi", *arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise SandboxError(f"`pulumi {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout


def look(url: str, trust: ssl.SSLContext) -> Seen:
    """Request `url` over HTTPS, and the same host over plain HTTP.

    Raises:
        OSError: no connection, or a chain or name that does not verify.
    """
    host = url.removeprefix("https://").split("/")[0]
    secure = http.client.HTTPSConnection(host, timeout=_TIMEOUT, context=trust)
    secure.request("GET", "/")
    certificate: Any = secure.sock.getpeercert()
    address = secure.sock.getpeername()[0]
    status = secure.getresponse().status
    secure.close()
    plain = http.client.HTTPConnection(host, timeout=_TIMEOUT)
    plain.request("GET", "/")
    answer = plain.getresponse()
    redirect = f"{answer.status} {answer.getheader('location', '')}".strip()
    plain.close()
    return Seen(
        host, address, status,
        _common_name(certificate["subject"]), _common_name(certificate["issuer"]),
        ", ".join(value for _, value in certificate["subjectAltName"]),
        certificate["notAfter"], redirect,
    )  # fmt: skip


def _look_when_listening(url: str, trust: ssl.SSLContext) -> Seen:
    # A Certificate is Ready before istiod has told Envoy of its Secret; that alone is waited for.
    deadline = time.monotonic() + _LISTENING
    while True:
        try:
            return look(url, trust)
        except (ConnectionRefusedError, ConnectionResetError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _common_name(name: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    return next((value for relative in name for key, value in relative if key == "commonName"), "(none)")


if __name__ == "__main__":
    sys.exit(main())
