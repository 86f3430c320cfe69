"""What a preview came to, as it goes from the job that ran a branch's code to the one that writes the comment.

The first job runs code that nobody has reviewed, so what it hands over is data: one file of a bounded size, of which
only an exit code and a text are read.
"""

import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass
from typing import Any

FILE = "preview.json"
"""The file's name, on its own in the artifact."""

LIMIT = 1_000_000
"""Bytes of the artifact, and of the file in it."""

KEPT = 100_000
"""Characters of the output that are handed over, from its end: more than a comment shows, and within `LIMIT`."""


class OutcomeError(Exception):
    """The artifact does not hold an outcome."""


@dataclass(frozen=True)
class Outcome:
    """How a preview ended."""

    code: int
    """Its exit code."""
    output: str
    """The end of what it printed."""

    def written(self) -> str:
        """Return the file's text."""
        return json.dumps(asdict(self) | {"output": self.output[-KEPT:]})


def unpacked(archive: bytes) -> Outcome:
    """Read an artifact.

    Raises:
        OutcomeError: it is not a ZIP archive with that file, or the file holds something else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files, files.open(FILE) as file:
            # The size that the archive states is its maker's word.
            text = file.read(LIMIT + 1)
    except (KeyError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise OutcomeError(f"is no archive with a {FILE}: {type(error).__name__}") from None
    if len(text) > LIMIT:
        raise OutcomeError(f"holds more than {LIMIT} bytes")
    try:
        return _validated(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise OutcomeError(f"holds no JSON: {type(error).__name__}") from None


def _validated(found: Any) -> Outcome:
    match found:
        case {"code": int(code), "output": str(output), **more} if not more and not isinstance(code, bool):
            return Outcome(code, output)
    raise OutcomeError("holds something else than an exit code and an output")
