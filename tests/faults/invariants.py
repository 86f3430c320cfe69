"""What has to hold after every fault: functions that return what does not."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from tests.faults.watching import Sample

GRACE = 15.0
"""Seconds after a killed gateway has started again in which requests may still fail: Envoy asks istiod for its config,
and kube-proxy leads to its Pod only when that is Ready."""
_AROUND = 60
"""Characters that are quoted on each side of a cause."""
_ALWAYS = re.compile(r"warning: using pulumi-|the sandbox's stand-in for version")
"""Diagnostics of every command."""

NO_CAUSE = "$^"
"""The cause where nothing may fail: it matches no words."""

Broken = list[str]


@dataclass
class Ended:
    """How a command ended: its exit code, all that it printed, its seconds, and how many it might have taken."""

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
    """Reads what was added to files since the last time."""

    folders: Sequence[Path]
    _read: dict[Path, int] = field(default_factory=dict)

    def news(self) -> Iterable[tuple[Path, str]]:
        """Yield each file with its new text and a little of the text before."""
        for path in sorted(path for folder in self.folders for path in folder.rglob("*") if path.is_file()):
            # A key may have been written in two parts.
            begin = max(self._read.get(path, 0) - 4096, 0)
            with path.open("rb") as file:
                file.seek(begin)
                text = file.read()
            self._read[path] = begin + len(text)
            yield path, text.decode(errors="replace")


def certificate_is_kept(samples: Sequence[Sample], hosts: Sequence[str]) -> Broken:
    """Clients always see a certificate that is at least as good as the one before.

    Each request verifies trust and the name; `requests_are_answered` counts the failed ones.
    """
    broken, best = [], None
    for certificate in (sample.certificate for sample in samples if sample.certificate):
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
    """No request fails, except while the gateway was away."""
    failed = [sample for sample in samples if sample.failure]
    if outage:
        failed = [sample for sample in failed if sample.until < outage.begins or sample.at > outage.ends + GRACE]
    return [f"{len(failed)} of {len(samples)} requests failed, the first with {failed[0].failure}"] if failed else []


def ends_in_its_bound(commands: Sequence[Ended]) -> Broken:
    """Every command ends in time: a pipeline that hangs holds the stack's lock."""
    return [
        f"{command.what} took {command.seconds:.0f} s of at most {command.bound:.0f}"
        for command in commands
        if command.seconds > command.bound
    ]


def cause_is_named(commands: Sequence[Ended], cause: str) -> Broken:
    """A failed command names its cause, a pattern, and prints no traceback."""
    broken = [f"{command.what} printed a traceback" for command in commands if "Traceback" in command.printed]
    return broken + [
        f"{command.what} failed without naming the cause: {tail(command.printed)}"
        for command in commands
        if command.code > 0 and not re.search(cause, "\n".join(_diagnostics(command.printed)), re.IGNORECASE)
    ]


def naming(ended: Ended, cause: str) -> str:
    """Return the last line that names the cause of a failure, or what is around the cause in a long line."""
    words = ""
    for line in _diagnostics(ended.printed) if ended.code > 0 else ():
        if match := re.search(cause, line, re.IGNORECASE):
            begin, end = max(match.start() - _AROUND, 0), match.end() + _AROUND
            words = f"{'…' * bool(begin)}{line[begin:end]}{'…' * (end < len(line))}"
    return words


def no_secret_is_shown(secrets: Sequence[tuple[str, str]], shown: Iterable[tuple[str, str]]) -> Broken:
    """No secret, a name and its text, is in a text that was shown, a place and the text there."""
    return [f"{what} is in {where}" for where, text in shown for what, secret in secrets if secret in text]


def nothing_is_left(left: Sequence[str]) -> Broken:
    """After `destroy`, the cluster and the zone are as before the first `up`."""
    return [f"left after destroy: {', '.join(left)}"] if left else []


def state_and_cluster_agree(compared: Ended) -> Broken:
    """After the next `up`, a preview against the cluster has nothing to do."""
    return [] if compared.code == 0 else [f"the preview has changes: {tail(compared.printed)}"]


def tail(printed: str) -> str:
    """Return the end of a command's diagnostics, on one line."""
    return end_of("\n".join(_diagnostics(printed)))


def end_of(text: str) -> str:
    """Return the last lines of a text, as one."""
    return " | ".join(line.strip() for line in text.splitlines()[-8:])[-600:]


def _diagnostics(printed: str) -> list[str]:
    """Return the lines that say what went wrong: of Pulumi its diagnostics, without those of every command.

    The rest of Pulumi's output names every resource, and so the cause of any failure.
    """
    _, heading, rest = printed.rpartition("\nDiagnostics:\n")
    text = re.split(r"\n(?:Outputs|Resources):", rest)[0] if heading else printed
    lines = [line.strip() for line in text.splitlines() if not _ALWAYS.search(line)]
    return [line for line in lines if line]
