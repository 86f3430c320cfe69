"""An ACME server of a test's own: Pebble, which keeps its state in memory."""

import json
from pathlib import Path
from typing import Any

from sandbox import network, paths
from sandbox.acme import Directory
from sandbox.pki import Authority
from sandbox.process import Part, answers

PORT = 14000
_ENVIRONMENT = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}


class Pebble:
    """A Pebble that runs while the block does.

    Attributes:
        url: What an issuer's ``server`` holds.
        ca_bundle: The PEM that its listener's certificate chains to.
    """

    def __init__(self, folder: Path, directory: Directory, **config: Any) -> None:
        """Write its files.

        Args:
            folder: For its files.
            directory: Its name and address.
            config: Keys of Pebble's configuration.
        """
        authority = Authority.create(folder, f"{directory.name}-ca")
        authority.issue("pebble", directory.address, sans=[directory.address])
        self._folder = folder
        self.url = f"https://{directory.address}:{PORT}/dir"
        self.ca_bundle = (folder / "ca.crt").read_text()
        files = {"certificate": f"{folder}/pebble.crt", "privateKey": f"{folder}/pebble.key"}
        file = folder / "pebble.json"
        file.write_text(json.dumps({"pebble": directory.config()["pebble"] | files | config}))
        argv = [str(paths.BIN / "pebble"), "-strict", "-config", str(file), "-dnsserver", f"{network.HOST}:53"]
        self._part = Part("pebble", argv, lambda: answers(self.url, folder / "ca.crt"), _ENVIRONMENT)

    def __enter__(self) -> "Pebble":
        self._part.start(self._folder)
        self._part.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self._part.stop()
