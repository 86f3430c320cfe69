"""What has to hold after every fault, each as a function that returns what does not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from tests.faults.watching import Sample

GRACE = 15.0
"""Seconds after a killed gateway is started again in which requests may still fail: Envoy asks istiod for all it
serves, and its Pod has to be Ready before kube-proxy leads to it."""

Broken = list[str]


@dataclass
class Ended:
    """How an operation or what follows it came to its end.

    Attributes:
        what: What it was, in words.
        code: The exit code; 0 is success.
        printed: All it printed.
        seconds: How long it took.
        bound: How long it might have taken.
    """

    what: str
    code: int
    printed: str
    seconds: float
    bound: float


@dataclass
class Outage:
    """When the killed part could not serve, by `time.monotonic`."""

    begins: float
    ends: float


@dataclass
class LogScan:
    """Reads what was added to files since it was last asked."""

    folders: Sequence[Path]
    _read: dict[Path, int] = field(default_factory=dict)

    def news(self) -> Iterable[tuple[Path, str]]:
        """Yield each file that grew, with what is new in it and a little of what was before."""
        for folder in self.folders:
            for path in sorted(each for each in folder.rglob("*") if each.is_file()):
                begin = self._read.get(path, 0)
                with path.open("rb") as file:
                    # A key may have been written in two parts.
                    file.seek(max(begin - 4096, 0))
                    text = file.read()
                self._read[path] = max(begin - 4096, 0) + len(text)
                yield path, text.decode(errors="replace")


def certificate_is_kept(samples: Sequence[Sample], hosts: Sequence[str]) -> Broken:
    """Clients go on seeing a certificate at least as good: it is what the whole program is for.

    Trust and the name asked for are verified by each request itself; a failed one counts in `requests_are_answered`.
    """
    broken, best = [], None
    for certificate in (each.certificate for each in samples if each.certificate):
        if best is not None and certificate.not_valid_after_utc < best.not_valid_after_utc:
            broken.append(f"a certificate until {certificate.not_valid_after_utc} replaced a later one")
        missing = set(hosts) - set(names_of(certificate))
        if missing:
            broken.append(f"a certificate without {', '.join(sorted(missing))} was served")
        best = certificate
    return sorted(set(broken))


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the DNS names of a certificate."""
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def requests_are_answered(samples: Sequence[Sample], outage: Outage | None) -> Broken:
    """No request fails but those that the killed part was to answer: the data path needs nothing else.

    Args:
        samples: What a client saw.
        outage: When the gateway was away; None where it was not what was killed.
    """
    failed = [each for each in samples if each.failure]
    if outage:
        failed = [each for each in failed if each.until < outage.begins or each.at > outage.ends + GRACE]
    return [f"{len(failed)} of {len(samples)} requests failed, the first with {failed[0].failure}"] if failed else []


def ends_in_its_bound(ended: Sequence[Ended]) -> Broken:
    """Whatever happens, a command comes back: a pipeline that hangs holds the stack's lock."""
    return [
        f"{each.what} took {each.seconds:.0f} s of at most {each.bound:.0f}"
        for each in ended
        if each.seconds > each.bound
    ]


def cause_is_named(ended: Sequence[Ended], cause: str) -> Broken:
    """Who reads a failure is told what it was, and not at which line of a program.

    Args:
        ended: What came to its end.
        cause: A pattern of the words that name it.
    """
    broken = [f"{each.what} printed a traceback" for each in ended if "Traceback" in each.printed]
    failed = [each for each in ended if each.code > 0]
    return broken + [
        f"{each.what} failed without naming the cause: {tail(each.printed)}"
        for each in failed
        if not re.search(cause, "\n".join(_told(each.printed)), re.IGNORECASE)
    ]


def naming(ended: Ended, cause: str) -> str:
    """Return the last words by which a failure names its cause; empty where it went through, or nothing does.

    They are a line, or what is around the cause in one that is long.
    """
    if ended.code <= 0:
        return ""
    words = ""
    for line in _told(ended.printed):
        if found := re.search(cause, line, re.IGNORECASE):
            begin, end = max(found.start() - _AROUND, 0), found.end() + _AROUND
            words = f"{'…' * bool(begin)}{line[begin:end]}{'…' * (end < len(line))}"
    return words


_AROUND = 60
"""Characters on each side."""


def no_secret_is_shown(secrets: Sequence[tuple[str, str]], shown: Iterable[tuple[str, str]]) -> Broken:
    """Private keys, account keys and the passphrase stay where they belong: logs and comments are read by many.

    Args:
        secrets: What each is, and its text.
        shown: Where, and the text there.
    """
    return [f"{what} is in {where}" for where, text in shown for what, secret in secrets if secret in text]


def nothing_is_left(found: Sequence[str]) -> Broken:
    """After `destroy`, the cluster and the zone are as before the first `up`: the next user starts from nothing."""
    return [f"left after destroy: {', '.join(found)}"] if found else []


def state_and_cluster_agree(compared: Ended) -> Broken:
    """After the next `up`, a preview that looks at the cluster has nothing to do: no fault is carried on."""
    return [] if compared.code == 0 else [f"the preview has changes: {tail(compared.printed)}"]


def tail(printed: str) -> str:
    """Return the end of what was told, on one line."""
    return end_of("\n".join(_told(printed)))


def end_of(text: str) -> str:
    """Return its last lines, as one."""
    return " | ".join(line.strip() for line in text.splitlines()[-8:])[-600:]


def _told(printed: str) -> list[str]:
    """Return the lines that say what went wrong: of Pulumi its diagnostics, without those of every command.

    The rest of what it prints names everything that there is, and so the cause of any failure.
    """
    _, gathered, diagnostics = printed.rpartition("\nDiagnostics:\n")
    told = re.split(r"\n(?:Outputs|Resources):", diagnostics)[0] if gathered else printed
    lines = [line.strip() for line in told.splitlines() if not _ALWAYS.search(line)]
    return [line for line in lines if line]


_ALWAYS = re.compile(r"warning: using pulumi-|the sandbox's stand-in for version")
