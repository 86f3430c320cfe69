"""What the files have in common: none leaves anything behind, and none relies on another."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from sandbox import paths
from sandbox.testing import AcmeProxy, left, restore
from tests.sandbox.stack import Stack

LONG = [
    "adopt", "neighbours", "https", "adopt_nginx", "gateway_api", "plan", "identities",
    "verify", "dns01", "faults", "mutual_tls", "preflight", "upgrade", "template",
]  # fmt: skip
"""The files that last longest, in that order."""
FIRST = {Path(__file__).parent / f"test_{name}.py": number for number, name in enumerate(LONG)}


only_istio = pytest.mark.parametrize("api", ["istio"], indirect=True)
"""Marks a test of a file for both APIs that the Gateway API has no part in, or cannot serve."""


class NewStack(Protocol):
    """Makes stacks that are destroyed after the file's last test, whatever happened."""

    def __call__(self, name: str, **config: Any) -> Stack:
        """Return a stack with changes to the sandbox's config; it is not up."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first, so that sandboxes side by side end at about the same time.

    It is a hint for the schedule: files pass in any order (``--random-order-bucket=module``). The tests of a file keep
    theirs, since some stacks last for a file.
    """
    items.sort(key=lambda item: FIRST.get(item.path, len(FIRST)))
    for item in items:
        item.add_marker(pytest.mark.random_order(disabled=True))


@pytest.fixture(scope="session")
def clean_start() -> None:
    """Remove what an earlier session in the same sandbox has left."""
    if things := left(timeout=0):
        print("left by an earlier session, and removed:", *things, sep="\n  ")
        restore()


@pytest.fixture(scope="module", autouse=True)
def nothing_left(clean_start: None) -> Iterator[None]:  # noqa: ARG001 - for its effect
    """Fail the file that leaves something, and remove that for the sake of the next one."""
    yield
    if things := left():
        restore()
        pytest.fail("this file has left:\n  " + "\n  ".join(map(str, things)))


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AcmeProxy]:
    """An ACME server that can be made to fail."""
    proxy = AcmeProxy(tmp_path_factory.mktemp("acme"), (paths.RUN / "acme" / "ca.crt").read_text())
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def new_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewStack]:
    """Makes stacks that last for the file."""
    with ExitStack() as stacks:

        def make(name: str, **config: Any) -> Stack:
            stack = stacks.enter_context(Stack(name, tmp_path_factory.mktemp(name)))
            stack.configure(**config)
            return stack

        yield make


@pytest.fixture(scope="module", params=["istio", "gateway"])
def api(request: pytest.FixtureRequest) -> str:
    """The API that a stack is written in: the tests of a file run in the one, and then in the other."""
    return str(request.param)


@pytest.fixture
def stack(shared: Stack) -> Stack:
    """The stack that the tests of a file share, up with its first config, whatever an earlier test did to it."""
    shared.stand()
    return shared
