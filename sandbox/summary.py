"""``python -m sandbox.summary URL... --ca FILE``, inside a sandbox: request pages over HTTPS and print what came.

The requests are a client's: the name is resolved by DNS, the chain is verified against the given roots and no others,
and nothing is skipped.
"""

import argparse
import http.client
import json
import ssl
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

PLAIN_PORT = 80
_TIMEOUT = 10
_LISTENING = 20.0
"""Seconds in which a gateway has to listen, once its configuration is in the cluster."""


@dataclass(frozen=True)
class Seen:
    """What one host answered."""

    url: str
    address: str
    status: int
    subject: str
    issuer: str
    root: Path
    """The file with the root that its chain verified against."""
    names: str
    not_after: str
    redirect: str
    """What the same host answers over plain HTTP: status and location."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print what each URL answers; the exit code is 1 when one does not over verified HTTPS."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.summary", description=__doc__)
    parser.add_argument(
        "urls", nargs="+", metavar="URL", help="https://HOST/PATH, or - for a JSON list of them on stdin"
    )
    parser.add_argument(
        "--ca", type=Path, nargs="+", required=True, metavar="FILE", help="roots to verify against, PEM"
    )
    arguments = parser.parse_args(argv)
    console = Console(highlight=False)
    try:
        urls = json.load(sys.stdin) if arguments.urls == ["-"] else arguments.urls
        if not urls:
            raise ValueError("no URL was given")
        for url in urls:
            seen = look_when_listening(url, arguments.ca)
            console.print(
                f"  [green]{seen.url}[/]  {seen.status} from {seen.address}\n"
                f"    certificate  {seen.subject}, for {seen.names}\n"
                f"    issuer       {seen.issuer}, verified against {seen.root}\n"
                f"    not after    {seen.not_after}\n"
                f"    plain HTTP   {seen.redirect}",
                soft_wrap=True,
            )
    except (OSError, ValueError) as error:
        console.print(f"[red]error:[/] not served over verified HTTPS: {error}", soft_wrap=True)
        return 1
    return 0


def look(url: str, roots: Sequence[Path]) -> Seen:
    """Request `url` over HTTPS, and the same host over plain HTTP.

    Raises:
        OSError: no connection, a root that cannot be read, or a chain or name that verifies against none of the roots.
        ValueError: `url` is no https:// URL.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError(f"{url!r} is no https:// URL")
    secure, root = _connect(parts.netloc, roots)
    secure.request("GET", parts.path or "/")
    certificate: Any = secure.sock.getpeercert()
    address = secure.sock.getpeername()[0]
    status = secure.getresponse().status
    secure.close()
    plain = http.client.HTTPConnection(parts.hostname, PLAIN_PORT, timeout=_TIMEOUT)
    plain.request("GET", parts.path or "/")
    answer = plain.getresponse()
    redirect = f"{answer.status} {answer.getheader('location', '')}".strip()
    plain.close()
    return Seen(
        url, address, status,
        _common_name(certificate["subject"]), _common_name(certificate["issuer"]), root,
        ", ".join(value for _, value in certificate["subjectAltName"]),
        certificate["notAfter"], redirect,
    )  # fmt: skip


def look_when_listening(url: str, roots: Sequence[Path]) -> Seen:
    """`look`, once the gateway listens: a Certificate is Ready before istiod has told Envoy of its Secret."""
    deadline = time.monotonic() + _LISTENING
    while True:
        try:
            return look(url, roots)
        except (ConnectionRefusedError, ConnectionResetError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _connect(netloc: str, roots: Sequence[Path]) -> tuple[http.client.HTTPSConnection, Path]:
    """A connection whose chain verifies, and against which of the roots."""
    for root in roots:
        context = ssl.create_default_context(cafile=root)
        connection = http.client.HTTPSConnection(netloc, timeout=_TIMEOUT, context=context)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError:
            connection.close()
            if root is roots[-1]:
                raise
        else:
            return connection, root
    raise ValueError("no root to verify against")


def _common_name(name: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    return next((value for relative in name for key, value in relative if key == "commonName"), "(none)")


if __name__ == "__main__":
    sys.exit(main())
