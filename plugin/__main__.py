"""Serve the components: the engine runs this folder, with its own address as the first argument."""

import sys
from pathlib import Path

# The components lie beside this folder.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from plugin.provider import serve  # noqa: E402

if __name__ == "__main__":
    serve(sys.argv[1:])
