"""A stack that an older commit made is taken over: nothing is replaced or deleted, and no client notices.

`make test` takes over the config with the most parts, `make bench BENCH=upgrade` the others.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

from sandbox.acme import PROD, STAGING
from sandbox.testing import AcmeProxy, caa, changes, client, eventually, managed_zone
from tests.sandbox.stack import PREFIX, PROJECT, SHOP, Stack
from tests.sandbox.test_gateways import INTERNAL, gateway

__all__ = ["gateway"]  # The fixture that `several_gateways` is for.

RELEASED = os.environ.get("UPGRADE_FROM", "13bf11a")
"""The commit to upgrade from, until there is a release."""
HOST = SHOP | {"host": "upgrade.sandbox.test"}
BLOG = SHOP | {"host": "upgrade-blog.sandbox.test"}
GUARDED = {"caa": True, "caaIdentities": [caa.IDENTITY], "workloadIdentity": True}
"""The keys of `dns` with which a stack allows its own accounts alone."""

Prepare = Callable[[Stack, AcmeProxy], None]
"""Gives a stack its config."""


def sandbox(stack: Stack, _: AcmeProxy) -> None:
    """Leave Pulumi.sandbox.yaml as it is."""
    assert stack.get("hosts"), "it has hosts"


def production(stack: Stack, _: AcmeProxy) -> None:
    """Fill in Pulumi.prod.yaml, for the sandbox's cluster and ACME servers."""
    config = yaml.safe_load((PROJECT / "Pulumi.prod.yaml").read_text())["config"]
    prod = {key.removeprefix(PREFIX): value for key, value in config.items() if key.startswith(PREFIX)}
    for key in ("gke", "protect", "production"):
        del prod[key]
    for host in prod["hosts"]:
        host["host"] = host["host"].replace("your-domain.com", "sandbox.test")
    for route in prod["hosts"][1]["routes"]:
        route.update(service="api", port=8080)
    prod["acme"] |= {"email": "platform@sandbox.test", "dnsZones": None}
    prod["dns"]["zone"] = "sandbox"
    stack.configure(**prod)


def several_gateways(stack: Stack, acme: AcmeProxy) -> None:
    """Prove one gateway's host by HTTP-01 and another's by DNS-01, both with CAA records that the ACME server heeds."""
    acme.heeds_caa = True
    stack.use_acme(acme)
    solvers = {"dnsZones": None, "waitInsteadOfSelfCheck": 1}
    stack.configure(acme=solvers, dns=GUARDED, hosts=[HOST], gateways=[INTERNAL])


def dns01_with_caa(stack: Stack, acme: AcmeProxy) -> None:
    """Prove names by DNS-01, with CAA records that the ACME server heeds."""
    acme.heeds_caa = True
    stack.use_acme(acme)
    stack.configure(challenge="dns01", dns=GUARDED, hosts=[HOST])


def certificate_per_host(stack: Stack, _: AcmeProxy) -> None:
    """Have a certificate for each host."""
    stack.configure(certificate={"grouping": "perHost"}, hosts=[HOST, BLOG])


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as the older commit has it, in a folder of its own."""
    git = ("git", "-C", str(PROJECT))
    if subprocess.run([*git, "cat-file", "-e", f"{RELEASED}^{{commit}}"], capture_output=True, check=False).returncode:
        pytest.skip(f"this clone does not hold the commit {RELEASED}: git fetch --unshallow")
    folder = tmp_path_factory.mktemp("released")
    archive = subprocess.run([*git, "archive", RELEASED], capture_output=True, check=True).stdout
    subprocess.run(["tar", "--extract", f"--directory={folder}"], input=archive, check=True)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(
    "configure",
    [
        pytest.param(several_gateways, marks=pytest.mark.sandbox),
        *(
            pytest.param(configure, marks=pytest.mark.bench)
            for configure in (sandbox, production, dns01_with_caa, certificate_per_host)
        ),
    ],
)
def test_a_client_notices_no_upgrade(configure: Prepare, released: Path, acme: AcmeProxy, tmp_path: Path) -> None:
    with Stack("upgrade", tmp_path) as stack:
        configure(stack, acme)
        stack.folder = released
        stack.up()
        host, trust = stack.get("hosts")[0]["host"], client.trusting(PROD, STAGING)
        eventually("the host is served", partial(client.served, host, trust))
        with client.traffic(host, trust, kept=True) as traffic:
            for direction, program in (("upgrade", PROJECT), ("way back", released)):
                stack.folder = program
                plan = stack.plan()
                assert set(plan.values()) <= {"update"}, f"the {direction} creates, replaces or deletes: {plan}"
                stack.up()
                assert stack.plan() == {}, f"the stack is at rest after the {direction}"
        assert traffic.failures == [], "each request is answered"
        assert set(traffic.kept) == {"HTTP/1.1", "HTTP/2"}, "a client asks in kept connections, too"
        assert len(traffic.serials) == 1, "no new certificate is ordered"


@pytest.mark.bench
def test_challenges_stay_delegated(released: Path, tmp_path: Path) -> None:
    with managed_zone("upgrade-proofs", "upgrade-proofs.test"), Stack("upgrade", tmp_path) as stack:
        stack.configure(
            challenge="dns01",
            acme={"dnsZones": None, "waitInsteadOfSelfCheck": 1},
            dns={"workloadIdentity": True, "challengeZone": {"zone": "upgrade-proofs"}},
            hosts=[HOST],
        )
        stack.folder = released
        stack.up()
        before = changes()
        stack.folder = PROJECT
        plan = stack.plan()
        assert plan.pop("delegations") == "create", "their records have another parent"
        assert set(plan.values()) <= {"update"}, "and are the same"
        stack.up()
        assert changes() == before, "the zone is as it was"
        stack.assert_at_rest()
