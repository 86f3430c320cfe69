"""The outcome of a preview, on its way from the job that ran a branch's code to the job that comments.

The first job runs code that nobody has reviewed. So the second one reads its artifact as data: one file of bounded size
with an exit code and a text.
"""

import io
import json
import zipfile
import zlib

from deploy.ci.commands import Ran

FILE = "preview.json"
"""The only file of the artifact."""

LIMIT = 1_000_000
"""Maximum bytes of the artifact, and of the file in it."""

KEPT = 100_000
"""Characters that are kept from the end of the output: more than a comment shows, and within `LIMIT`."""


class OutcomeError(Exception):
    """A run has no outcome that may be shown."""


def to_json(ran: Ran) -> str:
    """Return the content of the file."""
    return json.dumps({"code": ran.code, "output": ran.output[-KEPT:]})


def unpack(archive: bytes, command: str) -> Ran:
    """Read the outcome of a command from an artifact.

    Raises:
        OutcomeError: The artifact is not a ZIP archive with the file, or the file holds something else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files, files.open(FILE) as file:
            # The size in the archive may be forged.
            text = file.read(LIMIT + 1)
    except (KeyError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise OutcomeError(f"the artifact is no archive with a {FILE}: {type(error).__name__}") from None
    if len(text) > LIMIT:
        raise OutcomeError(f"the artifact holds more than {LIMIT} bytes")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OutcomeError(f"the artifact holds no JSON: {type(error).__name__}") from None
    match content:
        case {"code": int(code), "output": str(output), **more} if not more and not isinstance(code, bool):
            return Ran(command, code, output)
    raise OutcomeError("the artifact holds something other than an exit code and an output")
