"""One way to a stack: its options in every command, and pulumi's failures as problems."""

import shlex
from collections.abc import Callable

import pytest

from components.problem import Problem, ProblemsError
from components.shell import words
from tests.unit.tlsctl.verify.support import SHOP, deployed
from tlsctl.stack import Stack
from tlsctl.verify.checks import CHECKS

Pulumi = Callable[[str], None]

DEV = Stack("dev")
FILED = Stack("dev", "/etc/my stacks/dev.yaml")
FILE = "--config-file '/etc/my stacks/dev.yaml'"


@pytest.mark.parametrize(
    ("command", "addressed"),
    [
        ("pulumi up", f"pulumi up --stack dev {FILE}"),
        ("pulumi up --refresh", f"pulumi up --stack dev {FILE} --refresh"),
        (
            "pulumi config set --path 'tls.hsts' 0",
            f"pulumi config set --stack dev {FILE} --path 'tls.hsts' 0",
        ),
        (
            "pulumi config rm kubeconfig && pulumi config set context x    # a context",
            f"pulumi config rm --stack dev {FILE} kubeconfig"
            f" && pulumi config set --stack dev {FILE} context x    # a context",
        ),
        ("pulumi config --json", f"pulumi config --stack dev {FILE} --json"),
        ("pulumi cancel --yes", "pulumi cancel --stack dev --yes"),
        ("pulumi stack export", "pulumi stack export --stack dev"),
        ("uv run python -m tlsctl verify --watch", f"uv run python -m tlsctl verify --stack dev {FILE} --watch"),
        ("pulumi stack ls", "pulumi stack ls"),
        ("pulumi login gs://BUCKET", "pulumi login gs://BUCKET"),
        ("kubectl get pods", "kubectl get pods"),
        ("pulumi up --stack other", "pulumi up --stack other"),
        (
            "pulumi config set --path a.b 'pulumi up --stack prod; pulumi destroy'",
            f"pulumi config set --stack dev {FILE} --path a.b 'pulumi up --stack prod; pulumi destroy'",
        ),
        (f"pulumi config rm {words('--stack=x')}", f"pulumi config rm --stack dev {FILE} -- '--stack=x'"),
    ],
)
def test_a_command_is_addressed_to_the_stack_where_it_works_on_one(command: str, addressed: str) -> None:
    assert FILED.address(command) == addressed


@pytest.mark.parametrize("check", CHECKS)
def test_every_fix_of_a_check_names_the_stack_and_its_file(check: str) -> None:
    other = {"other_kind": "ingresses", "other_namespace": "team", "other_name": "shop"}
    fix = deployed().fix(check, SHOP, application="shop", **other)
    for command in map(FILED.address, fix):
        words = shlex.split(command)
        if words[0] == "pulumi" or "tlsctl" in words:
            assert words[words.index("--stack") + 1] == "dev", command
            assert words[words.index("--config-file") + 1] == FILED.config_file, command
        assert "{" not in command, "and every object"


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        ("error: no stack named 'dev' found", ("pulumi stack ls",)),
        ("error: get stack secrets manager: passphrase must be set with PULUMI_CONFIG_PASSPHRASE",
         ("export PULUMI_CONFIG_PASSPHRASE_FILE=FILE",)),
        ("error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions; use pulumi login",
         ("pulumi login gs://BUCKET",)),
        ("error: something else", ()),
    ],
)  # fmt: skip
def test_a_failure_of_pulumi_is_a_problem_in_its_own_words(pulumi: Pulumi, message: str, fix: tuple[str, ...]) -> None:
    pulumi(f"sys.exit({message!r})")
    with pytest.raises(ProblemsError) as failed:
        DEV.read("pulumi stack export")
    assert failed.value.problems == (Problem("stack dev", f"cannot be read: {message.removeprefix('error: ')}", fix),)


def test_what_a_preview_in_json_says_is_the_problem(pulumi: Pulumi) -> None:
    preview = {"diagnostics": [{"severity": "warning", "message": "x"}, {"severity": "error", "message": "no zone\n"}]}
    pulumi(f"print(json.dumps({preview!r})); sys.exit(255)")
    with pytest.raises(ProblemsError, match=r"cannot be read: no zone$"):
        DEV.read("pulumi preview --json")


def test_a_machine_without_pulumi_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    for work in (lambda: DEV.read("pulumi stack export"), lambda: DEV.run("pulumi cancel")):
        with pytest.raises(ProblemsError) as failed:
            work()
        assert failed.value.problems[0].what == "is not on PATH"
