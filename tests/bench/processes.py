"""The memory of processes: what is theirs alone, and their share of what they have in common (proc_pid_smaps(5))."""

from pathlib import Path

MIB = 2**20


def pss(program: str = "") -> int:
    """Return the bytes of all processes, or of those of a program."""
    return sum(_pss(each) for each in Path("/proc").glob("[0-9]*") if not program or _runs(each, program))


def _runs(process: Path, program: str) -> bool:
    try:
        first, _, _ = (process / "cmdline").read_bytes().partition(b"\0")
    except OSError:
        return False  # It has ended meanwhile.
    return Path(first.decode(errors="replace")).name == program


def _pss(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
