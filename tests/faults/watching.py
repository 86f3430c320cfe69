"""A TLS client that goes on asking, and keeps what it saw and when."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cryptography import x509

from sandbox.testing import client

PAUSE = 0.2
"""Seconds between two requests: few enough to leave the processors to what is watched."""


@dataclass(frozen=True)
class Sample:
    """One request.

    Attributes:
        at: When it was sent, by `time.monotonic`.
        until: When it ended.
        failure: Why it was not answered as it should be; empty where it was.
        certificate: What was presented and verified.
    """

    at: float
    until: float
    failure: str = ""
    certificate: x509.Certificate | None = None


@dataclass
class Watch:
    """What a client saw of one host.

    Attributes:
        host: The name that is asked for and verified.
        address: Where it connects to: the loss of the name's record is another matter than the gateway's.
        trust: What it trusts; the roots of an ACME server that comes up again are added.
        samples: In order.
    """

    host: str
    address: str
    trust: ssl.SSLContext
    samples: list[Sample] = field(default_factory=list)

    def ask(self) -> Sample:
        """Send one request."""
        began = time.monotonic()
        try:
            answer = client.https(self.host, self.trust, address=self.address)
        except (OSError, http.client.HTTPException) as error:
            return Sample(began, time.monotonic(), f"{type(error).__name__}: {error}")
        failure = "" if answer.status == http.client.OK else f"answered {answer.status}"
        return Sample(began, time.monotonic(), failure, answer.certificate)

    @property
    def serial(self) -> int | None:
        """The certificate's that is served; None where none is."""
        certificate = self.ask().certificate
        return certificate.serial_number if certificate else None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Go on asking while the block runs, each time in a new connection."""
        enough = threading.Event()

        def ask() -> None:
            while not enough.wait(PAUSE):
                self.samples.append(self.ask())

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join()
