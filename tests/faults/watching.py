"""A TLS client that sends requests all the time, and keeps what it saw and when."""

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
"""Seconds between two requests, so that the client does not take the processors' time."""


@dataclass(frozen=True)
class Sample:
    """A request: when it was sent and ended by `time.monotonic`, why it failed, and the certificate presented."""

    at: float
    until: float
    failure: str = ""
    certificate: x509.Certificate | None = None


@dataclass
class Watch:
    """A client of one host.

    Attributes:
        host: The name that is requested and verified.
        address: Where it connects to, since the name's record may be lost while the gateway serves.
        trust: The trusted roots; those of an ACME server that has restarted are added.
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
        """The serial number of the certificate that is served; None if none is."""
        certificate = self.ask().certificate
        return certificate.serial_number if certificate else None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Send requests while the block runs, each in a new connection; earlier samples are dropped."""
        self.samples.clear()
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
