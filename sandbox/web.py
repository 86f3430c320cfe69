"""Requests to upstream's servers or to mirrors of them: limited in time and size, with a reason in one line.

The library is requests, which knows proxies and keeps a token from the hosts that a registry redirects to. A client of
the registry's protocol, such as oras-py, neither limits the time of a request nor compares digests.
"""

import hashlib
import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3

STALL = 15.0
"""Seconds without a byte after which a download is given up."""
LIMIT = 300.0
"""Seconds for one release: in that time, the largest ones could be built."""
MAX_BYTES = 2**30
"""The size of one file; the largest has a fifth of it."""
MIRRORS = "SANDBOX_MIRRORS"
"""The variable with mirrors: HOST=URL, separated by commas. URL takes the place of `https://HOST`."""

_CHUNK = 2**18


class DownloadError(Exception):
    """A download that failed: the reason in one line."""


class Client:
    """Makes requests until a time limit."""

    def __init__(self, report: Callable[[int], None] = lambda _: None, seconds: float = LIMIT) -> None:
        self._report, self._seconds, self._deadline = report, seconds, time.monotonic() + seconds
        self._received = 0
        self._session = requests.Session()
        # A transfer encoding would be undone before the digest is compared.
        self._session.headers["Accept-Encoding"] = "identity"
        # The machine's, as for Go, not those that requests has with it: a proxy may have a CA of its own.
        trusted = ssl.get_default_verify_paths()
        self._session.verify = trusted.cafile or trusted.capath or True

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Return an answer before its content is read, with any status.

        Raises:
            DownloadError: the host does not answer.
        """
        url = mirrored(url)
        try:
            return self._session.get(url, headers=headers, stream=True, timeout=STALL)
        except requests.Timeout:
            raise DownloadError(f"{host(url)} does not answer within {STALL:.0f} s") from None
        except (requests.RequestException, OSError, ValueError) as error:
            raise DownloadError(f"{host(url)} cannot be reached ({type(error).__name__})") from None

    def content(self, response: requests.Response) -> Iterator[bytes]:
        """Yield what an answer contains.

        Raises:
            DownloadError: the status is no success, or the answer is too long, too slow or cut off.
        """
        server, size = host(response.url), 0
        if response.status_code != requests.codes.ok:
            raise DownloadError(f"{server} answers {response.status_code} {response.reason}")
        while True:
            try:
                chunk = response.raw.read1(_CHUNK)
            except urllib3.exceptions.ReadTimeoutError:
                raise DownloadError(f"{server} stopped sending for {STALL:.0f} s") from None
            except (urllib3.exceptions.HTTPError, OSError):
                raise DownloadError(f"{server} cut the download off after {size} bytes") from None
            if not chunk:
                return
            size += len(chunk)
            self._received += len(chunk)
            self._report(self._received)
            if size > MAX_BYTES:
                raise DownloadError(f"{server} sends more than {MAX_BYTES} bytes")
            if time.monotonic() > self._deadline:
                raise DownloadError(f"{server} is slow: it sent {self._received} bytes in {self._seconds:.0f} s")
            yield chunk

    def save(self, response: requests.Response, digest: str, file: Path) -> None:
        """Write what an answer contains to a file.

        Raises:
            DownloadError: it did not arrive whole, or has another digest.
        """
        sha256 = hashlib.sha256()
        with file.open("wb") as output:
            for chunk in self.content(response):
                sha256.update(chunk)
                output.write(chunk)
        if f"sha256:{sha256.hexdigest()}" != digest:
            raise DownloadError(f"{host(response.url)} sends another file: sha256:{sha256.hexdigest()}, not {digest}")


def mirrored(url: str) -> str:
    """Return a URL at the mirror of its host, if the user has named one."""
    for rule in os.environ.get(MIRRORS, "").split(","):
        name, _, base = rule.strip().partition("=")
        if base and url.startswith(f"https://{name}/"):
            return base.rstrip("/") + url.removeprefix(f"https://{name}")
    return url


def host(url: str) -> str:
    """Return the host of a URL, with its port but without credentials."""
    return urlsplit(url).netloc.rpartition("@")[2]
