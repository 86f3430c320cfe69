"""Reads Cloud DNS: the managed zones of a project, and the record sets of one."""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from components.problem import Problem, ProblemsError
from components.shell import word
from components.specs import external_dns
from components.specs.names import lies_in

ENDPOINT = "https://dns.googleapis.com/dns/v1/"
_TIMEOUT = 30
"""Seconds."""

_TOKEN = ("gcloud", "auth", "application-default", "print-access-token")


class CloudDns:
    """One project's zones, with the endpoint and the credentials that the gcp provider would take."""

    def __init__(self, project: str, config: Mapping[str, str]) -> None:
        """Take a project.

        Args:
            project: its id.
            config: the stack's, by full keys.
        """
        import urllib3

        self.project = project
        self._endpoint = config.get("gcp:dnsCustomEndpoint") or os.environ.get("GOOGLE_DNS_CUSTOM_ENDPOINT") or ENDPOINT
        self._token = config.get("gcp:accessToken") or os.environ.get("GOOGLE_OAUTH_ACCESS_TOKEN") or ""
        self._http = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)

    def zones(self) -> list[dict[str, Any]]:
        """Return the project's zones that the internet sees."""
        found = self._pages("managedZones", "managedZones")
        return [each for each in found if each.get("visibility", "public") == "public"]

    def record_sets(self, zone: str) -> list[dict[str, Any]]:
        """Return the record sets of a zone."""
        return self._pages(f"managedZones/{quote(zone, safe='')}/rrsets", "rrsets")

    def _pages(self, path: str, field: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = ""
        while True:
            answer = self._get(path + (f"?pageToken={quote(page, safe='')}" if page else ""))
            found += answer.get(field) or ()
            page = answer.get("nextPageToken") or ""
            if not page:
                return found

    def _get(self, path: str) -> dict[str, Any]:
        import urllib3

        url = f"{self._endpoint.rstrip('/')}/projects/{quote(self.project, safe='')}/{path}"
        where = f"Cloud DNS of the project {self.project}"
        fix = ("gcloud auth application-default login", f"gcloud dns managed-zones list --project {word(self.project)}")
        self._token = self._token or _gcloud_token(where, fix)
        try:
            answer = self._http.request("GET", url, headers={"Authorization": f"Bearer {self._token}"})
        except urllib3.exceptions.HTTPError as error:
            raise ProblemsError(Problem(where, f"does not answer: {type(error).__name__}", fix)) from None
        try:
            content: dict[str, Any] = json.loads(answer.data)
        except ValueError:
            content = {}
        if answer.status >= 400:
            reason = (content.get("error") or {}).get("message") or answer.reason
            raise ProblemsError(Problem(where, f"cannot be read: {answer.status} {reason}", fix))
        return content


def _gcloud_token(where: str, fix: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(_TOKEN, capture_output=True, text=True, check=False, timeout=_TIMEOUT)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        what = f"cannot be read without credentials: gcloud gives none ({type(error).__name__})"
        raise ProblemsError(Problem(where, what, ("export GOOGLE_OAUTH_ACCESS_TOKEN=TOKEN",))) from None
    if done.returncode:
        raise ProblemsError(Problem(where, f"cannot be read: {done.stderr.strip()}", fix))
    return done.stdout.strip()


def owned(record_sets: Iterable[Mapping[str, Any]], hosts: Iterable[str], zone: str, project: str) -> Iterator[Problem]:
    """Yield the problem of the hosts' records that external-dns owns; it would go on writing and deleting them."""
    records = {
        (str(each["name"]).removesuffix(".").lower(), str(each["type"])): [
            str(value) for value in each.get("rrdatas") or ()
        ]
        for each in record_sets
    }
    wanted = [(host, kind) for host in hosts for kind in external_dns.TYPES]
    found = external_dns.owners(records, [key for key in wanted if key in records])
    if found:
        yield external_dns.handover(found, zone, project, then="uv run python -m tlsctl adopt")


def choose(zones: Iterable[Mapping[str, Any]], hosts: Iterable[str], name: str | None) -> Mapping[str, Any]:
    """Return the zone that was named, or the one that most hosts lie in; of several the one with the longest domain.

    Raises:
        ProblemsError: there is no such zone, or none for any host.
    """
    listed = list(zones)
    fix = ("gcloud dns managed-zones list", "uv run python -m tlsctl adopt --zone NAME")
    if name is not None:
        named = [each for each in listed if each.get("name") == name]
        if not named:
            others = ", ".join(str(each.get("name")) for each in listed) or "none"
            raise ProblemsError(Problem(f"the managed zone {name}", f"does not exist; there are: {others}", fix))
        return named[0]
    hosts = list(hosts)

    def fits(zone: Mapping[str, Any]) -> tuple[int, int]:
        domain = str(zone.get("dnsName", ""))
        return sum(lies_in(domain, host) for host in hosts), len(domain)

    best = max(listed, key=fits, default=None)
    if best is None or not fits(best)[0]:
        raise ProblemsError(Problem("the managed zone", "is not known: no host lies in one of the project's", fix))
    return best
