"""What the tests of faults and of interruptions share, and the order of all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import paths
from sandbox.testing.acme_proxy import AcmeProxy

SHORT = ("accounts", "rollout", "mutual_tls", "rollout_refused", "routes", "policies", "address", "mesh", "node")
"""Files of less than a minute, the longest first."""
LAST = {Path(__file__).parent / f"test_{name}.py": number for number, name in enumerate(SHORT, 1)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the short files last: sandboxes side by side then end at about the same time."""
    items.sort(key=lambda item: LAST.get(item.path, 0))


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AcmeProxy]:
    proxy = AcmeProxy(tmp_path_factory.mktemp("acme"), (paths.RUN / "acme" / "ca.crt").read_text())
    yield proxy
    proxy.close()
