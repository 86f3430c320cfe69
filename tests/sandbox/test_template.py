"""A stack in a repository of its own: made by `pulumi new`, from a package index that is a folder."""

import re
import tomllib
from functools import partial
from pathlib import Path

import pytest

from sandbox import acme, policies
from sandbox.testing import client, eventually
from tests.sandbox import wheel
from tests.sandbox.stack import PROJECT, SHOP, Stack

pytestmark = pytest.mark.sandbox

HOST = SHOP | {"host": "template.sandbox.test"}


def test_a_repository_of_its_own_serves_and_is_upgraded(tmp_path: Path) -> None:
    repository, index, venv = tmp_path / "repository", tmp_path / "index", tmp_path / "repository" / ".venv"
    wheel.run("pulumi", "new", PROJECT / "examples" / "template", "--generate-only", "--yes", "--dir", repository)
    wheel.make_environment(venv, "policies", "verify")
    for version in ("0.1.0", "0.2.0"):
        wheel.build(index, version)
    [package] = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["dependencies"]
    assert wheel.install(venv, index, package) == "0.1.0", "before 1.0, another minor version may break a stack"

    with Stack("template", tmp_path, environment=wheel.activate(venv, tmp_path)) as stack:
        stack.folder = repository
        file = str(repository / "Pulumi.dev.yaml")
        refused = stack.run("preview", "--config-file", file, fails=True, config=False)
        for key in ("gcp:project", "gke.cluster", "acme.email", "dns.zone", "hosts[0].host"):
            assert re.search(rf"pulumi config set (--path )?'?{re.escape(key)}'? ", refused), f"{key} in {refused}"

        stack.configure(hosts=[HOST])
        pack = Path(wheel.run(venv / "bin" / "tlsctl", "policy-pack", cwd=repository).strip())
        assert "✅ istio-gateway-tls@v" in stack.run("preview", "--policy-pack", str(policies.folder(pack)))
        command = ("prove", "--stack", stack.name, "--config-file", stack.file, "--ca", acme.STAGING.root_file)
        proof = wheel.run(venv / "bin" / "tlsctl", *command, cwd=repository, **stack.environment)
        assert f"https://{HOST['host']} is served over verified HTTPS" in proof
        trust = client.trusting(acme.STAGING)
        answer = eventually("the host is served", partial(client.served, HOST["host"], trust))

        wheel.build(index, "0.1.1")
        assert wheel.install(venv, index, package) == "0.1.1"
        assert stack.plan() == {}, "the upgrade changes nothing"
        stack.up()
        stack.assert_at_rest()
        assert eventually("the host is served", partial(client.served, HOST["host"], trust)).serial == answer.serial
