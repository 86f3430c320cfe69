"""`tlsctl prove`: its steps, in order, and what a step that fails leaves out."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tlsctl.__main__ import main
from tlsctl.stack import Stack
from tlsctl.verify import command as verify

PULUMI = """
with Path({calls!r}).open("a") as file:
    print(*sys.argv[1:], file=file)
if sys.argv[1:3] == ["stack", "output"]:
    print(json.dumps({{"urls": ["https://shop.acme.dev"]}}))
sys.exit(255 if {fails!r} in sys.argv else 0)
"""
STACK = "--stack dev --config-file dev.yaml"
QUIET = "--non-interactive"
PREVIEW = f"preview {STACK} {QUIET}"
UP = f"up {STACK} --yes --skip-preview {QUIET}"
OUTPUT = f"stack output --stack dev --json {QUIET}"
AT_REST = f"preview {STACK} --refresh --expect-no-changes {QUIET}"
DESTROY = f"destroy {STACK} --yes --skip-preview {QUIET}"

Prove = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def prove(pulumi: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prove:
    """Run it; return its exit code, and what it ran."""
    calls = tmp_path / "calls"

    def run(*options: str, fails: str = "", verified: int = 0) -> tuple[int, list[str]]:
        def checks(_: Stack, args: object) -> int:
            with calls.open("a") as file:
                print("verify", args.watch, args.json, args.timeout, file=file)  # type: ignore[attr-defined]
            return verified

        monkeypatch.setattr(verify, "run", checks)
        pulumi(PULUMI.format(calls=str(calls), fails=fails))
        code = main(["prove", *STACK.split(), *options])
        return code, calls.read_text().splitlines()

    return run


@pytest.mark.parametrize(("options", "end"), [([], []), (["--destroy"], [DESTROY])])
def test_a_stack_is_brought_up_verified_and_at_rest(
    prove: Prove, capfd: pytest.CaptureFixture[str], options: list[str], end: list[str]
) -> None:
    code, calls = prove(*options, "--timeout", "60")
    assert (code, calls) == (0, [PREVIEW, UP, "verify True False 60.0", OUTPUT, AT_REST, *end])
    printed = capfd.readouterr().out
    assert "https://shop.acme.dev is served over verified HTTPS\n" in printed
    steps = re.findall(r"^✓ +(\S.*?) +[\d.]+ s$", printed, re.MULTILINE)
    assert steps == ["preview", "up", "verify", "preview without changes", *(["destroy"] if end else [])]


@pytest.mark.parametrize(
    ("fails", "verified", "last"),
    [("--yes", 0, UP), ("", 1, "verify True False 600"), ("--expect-no-changes", 0, AT_REST)],
    ids=["up", "verify", "at rest"],
)
def test_a_step_that_fails_ends_it_and_nothing_is_destroyed(
    prove: Prove, capfd: pytest.CaptureFixture[str], fails: str, verified: int, last: str
) -> None:
    code, calls = prove("--destroy", fails=fails, verified=verified)
    assert (code, calls[-1]) == (1, last)
    printed = capfd.readouterr()
    assert "ended with the exit code" in printed.err
    assert "✓" not in printed.out, "there is no proof"
