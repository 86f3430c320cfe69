"""``python -m docs.pictures``: draw the pictures of the documents from commands in a sandbox."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).parent
PROJECT = DOCS.parent
COLUMNS = 118
"""The width of the terminal, in characters."""

_SANDBOX = "pictures"
_TIMEOUT = 3600
"""Seconds for one command; the first `make up` on a machine builds the tools."""
_PULUMI_ENDS = re.compile(r"^Duration: .*$", re.MULTILINE)

_PORT_443_IS_REMOVED = (
    *("kubectl", "--namespace", "istio-system", "patch", "service", "istio-ingressgateway"),
    *("--patch", '{"spec": {"ports": [{"port": 443, "$patch": "delete"}]}}'),
)
_VERIFY = "python -m tlsctl verify --stack sandbox --ca /run/sandbox/acme/staging-root.pem"


def main() -> int:
    """Draw all pictures."""
    inside = (sys.executable, "-m", "sandbox", "exec", "--")
    try:
        up = _output("make", "--no-print-directory", "up")
        _output(*inside, *_PORT_443_IS_REMOVED)
        verify = _output(*inside, *_VERIFY.split(), code=1)
    finally:
        _output("make", "--no-print-directory", "down")
    (DOCS / "make-up.svg").write_text(drawn("make up", end_of_up(up)))
    (DOCS / "verify.svg").write_text(drawn(_VERIFY.partition(" --ca")[0], verify))
    return 0


def end_of_up(printed: str) -> str:
    """Return the output of `make up` after Pulumi's."""
    *_, last = _PULUMI_ENDS.finditer(printed)
    return printed[last.end() :]


def drawn(title: str, printed: str) -> str:
    """Return an SVG of a terminal that shows `printed` with its colours."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    console.print(Text.from_ansi(printed.strip("\n")))
    # With a fixed id, the same text makes the same file.
    svg = console.export_svg(title=title, unique_id="terminal")
    # A picture cannot load fonts.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def _output(*argv: str, code: int = 0) -> str:
    """Run a command and return its output with the colours of a terminal, without progress bars.

    Raises:
        SystemExit: the command ended with another exit code.
    """
    terminal = {"SANDBOX": _SANDBOX, "COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    done = subprocess.run(
        argv, cwd=PROJECT, env=os.environ | terminal, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=_TIMEOUT, check=False,
    )  # fmt: skip
    if done.returncode != code:
        sys.exit(f"`{' '.join(argv)}` ended with {done.returncode}, not with {code}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
