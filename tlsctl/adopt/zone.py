"""Reads Cloud DNS: the managed zones of a project, and the record sets of a zone."""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import urllib3

from components.problem import Problem, ProblemsError
from components.shell import word
from components.specs import external_dns
from components.specs.names import lies_in
from config.command import TLSCTL
from tlsctl.adopt.objects import texts

ENDPOINT = "https://dns.googleapis.com/dns/v1/"
_TIMEOUT = 30
"""Seconds."""


class CloudDns:
    """The zones of a project, read with the endpoint and the credentials that the gcp provider would use.

    Its methods raise `ProblemsError` where Cloud DNS does not answer, or refuses.
    """

    def __init__(self, project: str, config: Mapping[str, str]) -> None:
        """Choose a project; `config` is that of the stack, by full keys."""
        self.project = project
        self._endpoint = config.get("gcp:dnsCustomEndpoint") or os.environ.get("GOOGLE_DNS_CUSTOM_ENDPOINT") or ENDPOINT
        self._token = config.get("gcp:accessToken") or os.environ.get("GOOGLE_OAUTH_ACCESS_TOKEN") or ""
        self._http = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)

    def zones(self) -> list[dict[str, Any]]:
        """Return the project's public zones."""
        zones = self._pages("managedZones", "managedZones")
        return [zone for zone in zones if zone.get("visibility", "public") == "public"]

    def record_sets(self, zone: str) -> list[dict[str, Any]]:
        """Return the record sets of a zone."""
        return self._pages(f"managedZones/{quote(zone, safe='')}/rrsets", "rrsets")

    def _pages(self, path: str, field: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        page = ""
        while True:
            answer = self._get(path + (f"?pageToken={quote(page, safe='')}" if page else ""))
            items += answer.get(field) or ()
            page = answer.get("nextPageToken") or ""
            if not page:
                return items

    def _get(self, path: str) -> dict[str, Any]:
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
        command = ("gcloud", "auth", "application-default", "print-access-token")
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        what = f"cannot be read without credentials: gcloud returns none ({type(error).__name__})"
        raise ProblemsError(Problem(where, what, ("export GOOGLE_OAUTH_ACCESS_TOKEN=TOKEN",))) from None
    if done.returncode:
        raise ProblemsError(Problem(where, f"cannot be read: {done.stderr.strip()}", fix))
    return done.stdout.strip()


def owned(record_sets: Iterable[Mapping[str, Any]], hosts: Iterable[str], zone: str, project: str) -> Iterator[Problem]:
    """Yield a problem if external-dns owns records of the hosts: it would continue to write and delete them."""
    records = {
        (str(record["name"]).removesuffix(".").lower(), str(record["type"])): texts(record, "rrdatas")
        for record in record_sets
    }
    keys = [(host, kind) for host in hosts for kind in external_dns.TYPES]
    if owners := external_dns.owners(records, [key for key in keys if key in records]):
        yield external_dns.handover(owners, zone, project, then=f"{TLSCTL} adopt")


def choose(zones: Iterable[Mapping[str, Any]], hosts: Iterable[str], name: str | None) -> Mapping[str, Any]:
    """Return the zone of a name, or the one that most hosts lie in; of several, the one with the longest domain.

    Raises:
        ProblemsError: the zone does not exist, or no zone is right for any host.
    """
    listed, hosts = list(zones), list(hosts)
    fix = ("gcloud dns managed-zones list", f"{TLSCTL} adopt --zone NAME")
    if name is not None:
        if named := next((zone for zone in listed if zone.get("name") == name), None):
            return named
        others = ", ".join(str(zone.get("name")) for zone in listed) or "none"
        raise ProblemsError(Problem(f"the managed zone {name}", f"does not exist; there are: {others}", fix))

    def fits(zone: Mapping[str, Any]) -> tuple[int, int]:
        domain = str(zone.get("dnsName", ""))
        return sum(lies_in(domain, host) for host in hosts), len(domain)

    best = max(listed, key=fits, default=None)
    if best is None or not fits(best)[0]:
        raise ProblemsError(Problem("the managed zone", "is unknown: no host lies in a zone of the project", fix))
    return best
