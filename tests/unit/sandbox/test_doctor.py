"""What the doctor says is missing, and the commands that it gives."""

import subprocess
from pathlib import Path

import pytest

from sandbox import doctor
from sandbox.doctor import Check
from sandbox.errors import SandboxError


@pytest.fixture
def one_missing(monkeypatch: pytest.MonkeyPatch) -> Check:
    """A machine that lacks nft and nothing else."""
    check = Check("nft", "Service addresses", lambda: False, "sudo apt-get install -y nftables", ("nftables",))
    monkeypatch.setattr(doctor, "checks", lambda **_: [Check("Linux", "", lambda: True, ""), check])
    return check


def test_what_is_missing_is_named_with_its_fix(one_missing: Check) -> None:
    with pytest.raises(SandboxError) as error:
        doctor.require(fix=False)
    assert str(error.value).splitlines()[1:] == [f"  nft (Service addresses): {one_missing.fix}"], "and nothing else is"


@pytest.mark.parametrize(("uid", "prefix"), [(0, "apt-get"), (1000, "sudo apt-get")])
def test_a_fix_that_needs_root_says_so_to_a_user_without_rights(
    monkeypatch: pytest.MonkeyPatch, uid: int, prefix: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: uid)
    fixes = {check.name: check.fix for check in doctor.checks()}
    assert fixes["nft"].startswith(f"{prefix} install"), "the command can be pasted as it is"


def test_a_sudo_that_wants_a_password_leaves_the_list_of_what_is_missing(
    one_missing: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(argv: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        assert argv[:2] == ["sudo", "--non-interactive"], "a prompt would hang where nobody types"
        return subprocess.CompletedProcess(argv, 1, "", "sudo: a password is required\n")

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda program, **_: f"/usr/bin/{program}")
    monkeypatch.setattr("subprocess.run", refuse)
    with pytest.raises(SandboxError) as error:
        doctor.require(fix=True)
    assert one_missing.fix in str(error.value), "what to run by hand"
    assert "sudo: a password is required" in str(error.value), "and why the doctor did not do it"


def test_only_settings_that_this_kernel_has_are_in_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    apparmor = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    monkeypatch.setattr(Path, "exists", lambda path: path == apparmor)
    monkeypatch.setattr(Path, "read_text", lambda _: "1\n")
    monkeypatch.setattr("sandbox.tools.builds", list)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    fix = next(check.fix for check in doctor.checks() if check.name == "user namespaces")
    assert fix == "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0", "sysctl fails on a key that is not there"
