"""The options of `make faults`, and what its tests share with the sandbox tests."""

import os
from collections.abc import Callable

import pytest

from tests.recording import machine_facts, pytest_report_teststatus
from tests.sandbox.conftest import acme, clean_start, nothing_left

__all__ = ["acme", "clean_start", "machine_facts", "nothing_left", "pytest_report_teststatus"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=1, help="decides every moment and every config (default: 1)")
    parser.addoption("--rounds", type=int, default=50, help="how many parts are killed (default: 50)")
    parser.addoption("--configs", type=int, default=10_000, help="how many hostile configs are played (default: 10000)")


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed {config.getoption('seed')}: make faults SEED={config.getoption('seed')} repeats every test"


@pytest.fixture(autouse=True)
def machine(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    if "SANDBOX" in os.environ:
        record_property("machine", request.getfixturevalue("machine_facts"))
