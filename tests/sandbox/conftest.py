"""What the tests of faults and of interruptions share."""

from collections.abc import Iterator

import pytest

from sandbox import paths
from tests.sandbox.acme_proxy import AcmeProxy


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AcmeProxy]:
    proxy = AcmeProxy(tmp_path_factory.mktemp("acme"), (paths.RUN / "acme" / "ca.crt").read_text())
    yield proxy
    proxy.close()
