"""Fixtures of the program's unit tests."""

import gc
from collections.abc import Iterator

import pytest

from tests.unit.api_server import Api


@pytest.fixture
def api() -> Iterator[Api]:
    """An API server that has nothing until a test gives it something."""
    served = Api()
    yield served
    served.close()


@pytest.fixture(scope="module", autouse=True)
def no_rubbish() -> None:
    """Collect what the tests of other modules left: some tests parse Python, and so does hypothesis.

    A future whose error nobody read is logged when it is collected, and CPython 3.11 fails to parse while it does so
    (python/cpython#106905).
    """
    gc.collect()
