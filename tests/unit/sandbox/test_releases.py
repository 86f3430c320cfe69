"""What is pinned, what comes of it on this machine, and what `make up` says of it."""

import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from sandbox import doctor, download, forecast, gobuild, provision, releases, tools
from sandbox.gobuild import Build, Record, Report
from sandbox.releases import PINS, Release
from sandbox.web import DownloadError

ENGINE = ("pulumi", "github.com/pulumi/pulumi/pkg/v3")
VERSIONS = {
    "get.pulumi.com": ENGINE,
    "get.helm.sh": ("helm", "helm.sh/helm/v3"),
    "ghcr.io": ("pebble", tools.PEBBLE),
    "quay.io": ("cert-manager", tools.CERT_MANAGER),
}
"""The build that pins the version, by the host of a release."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine on which nothing is cached or installed, of an architecture that releases are for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sandbox.paths.program", lambda _: None)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    releases._pinned.cache_clear()
    yield tmp_path
    releases._pinned.cache_clear()


def build(name: str) -> Build:
    return next(build for build in tools.builds() if build.folder == name)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_each_pin_has_two_sources_and_the_version_of_its_build(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    pinned = releases._pinned(PINS)
    assert {urlsplit(release.url).netloc for release in pinned} == VERSIONS.keys(), "they were read"
    for release in pinned:
        assert len(set(release.learned)) >= 2, f"nobody confirms {release.url}"
        assert len(release.digest) == len("sha256:") + 64
        version = tools.required_version(*VERSIONS[urlsplit(release.url).netloc]).removeprefix("v")
        assert version in release.url, f"sandbox/builds has {version}: pin that release, or remove {release.url}"


def test_a_build_is_replaced_as_a_whole_or_not_at_all() -> None:
    certificates = build("cert-manager").programs
    assert len(releases.covering(certificates)) == len(certificates) == 5, "each is in an image of its own"
    assert len(releases.covering(("pulumi", "pulumi-language-python"))) == 1, "both are in one archive"
    assert releases.covering((*certificates, "kube-apiserver")) == [], "one of them has to be built"


def test_a_machine_without_releases_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert not releases.covering(("helm",))
    assert build("helm") in forecast.to_build(tools.builds())


def downloads(monkeypatch: pytest.MonkeyPatch, refusing: str = "") -> list[str]:
    """Let every download succeed, except from one host; return the URLs that are asked for."""
    asked: list[str] = []

    def fetch(release: Release, _: object) -> None:
        asked.append(release.url)
        if refusing and refusing in release.url:
            raise DownloadError(f"{refusing} answers 403 Forbidden")
        release.folder.mkdir(parents=True)

    monkeypatch.setattr(download, "fetch", fetch)
    return asked


def make_missing(monkeypatch: pytest.MonkeyPatch, *names: str) -> tuple[list[str], list[str]]:
    """Make some builds with a fake compiler; return those that were built, and the lines that were printed."""
    built: list[str] = []

    def run(build: Build, folder: Path, *_: object) -> None:
        built.append(build.folder)
        folder.mkdir(parents=True)

    monkeypatch.setattr(gobuild, "run", run)
    monkeypatch.setattr("sandbox.modules.folder", lambda *_: Path())
    console = Console(file=io.StringIO(), width=300)
    provision.make_missing(console, [build(name) for name in names])
    assert isinstance(console.file, io.StringIO)
    return built, console.file.getvalue().splitlines()


def test_what_can_be_downloaded_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = downloads(monkeypatch)
    built, lines = make_missing(monkeypatch, "pulumi", "pulumi-language-python", "helm", "istio")
    assert built == ["istio"], "nobody confirms its digest"
    assert len(asked) == 2, "the archive of both parts of Pulumi is downloaded once"
    assert lines[1].startswith("download helm  0 MB  ")
    programs = tools.resolve(build("pulumi-language-python"), lambda *_: None)
    assert "pulumi-language-python-exec" in programs, "what belongs to it is linked as well"
    assert make_missing(monkeypatch, "pulumi", "helm", "istio") == ([], []), "and all is there the next time"


def test_a_refusal_is_said_in_one_line_and_then_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = downloads(monkeypatch, refusing="quay.io")
    built, lines = make_missing(monkeypatch, "helm", "cert-manager")
    assert built == ["cert-manager"]
    assert lines[1] == "not downloaded: cert-manager-controller: quay.io answers 403 Forbidden. It is built instead."
    assert len(asked) == 2, "the host is asked once, not for each of five images"
    assert tools.resolve(build("cert-manager"), lambda *_: None).keys() == set(build("cert-manager").programs)


def test_ctrl_c_loses_nothing_that_was_built(monkeypatch: pytest.MonkeyPatch) -> None:
    downloads(monkeypatch)

    def interrupted(build: Build, folder: Path, *_: object) -> None:
        if build.folder == "istio":
            raise KeyboardInterrupt
        folder.mkdir(parents=True)

    monkeypatch.setattr(gobuild, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        provision.make_missing(Console(quiet=True), [build(name) for name in ("helm", "kubernetes", "istio")])
    ready = [name for name in ("helm", "kubernetes", "istio") if tools.is_ready(build(name))]
    assert ready == ["helm", "kubernetes"]


def test_the_forecast_says_how_long_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    text = forecast.forecast()
    assert text.startswith("This takes about 9 minutes"), "two builds, the downloads and the start"
    assert "Go builds what cannot be downloaded: kubernetes (288 s), istio (110 s)." in text
    assert "An installed Pulumi is used and saves" in text, "and what would make it shorter"
    monkeypatch.setattr(tools, "is_ready", lambda _: True)
    assert forecast.forecast() == "This takes about a minute: every program is installed or cached."


def test_go_is_needed_only_if_something_has_to_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_which", lambda *_: False)

    def go() -> doctor.Check:
        return next(check for check in doctor.checks() if check.name == "go")

    assert not go().present()
    assert "kube-apiserver" in go().why, "it says for what"
    assert "helm" not in go().why, "and not for what is downloaded"
    monkeypatch.setattr(forecast, "to_build", lambda _: [])
    assert go().present()
    assert go().why == "not needed: nothing has to be built"


def test_programs_of_one_binary_are_links_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    several = Build("several", (".", "example.com/cmd/apart"), links=("one", "two"), usual=Record(1, 1))
    assert several.programs == ("one", "two", "apart")

    def go(command: list[str], *_: object) -> int:
        for name in ("several", "apart"):
            Path(command[command.index("-o") + 1], name).write_text(name)
        return 1

    def report(*_: object) -> None: ...

    done: Report = report
    monkeypatch.setattr(gobuild, "BUILDS", tmp_path)
    monkeypatch.setattr(gobuild, "_go", go)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/go")
    (tmp_path / "several").mkdir()
    gobuild.run(several, tmp_path / "made", done)
    assert (tmp_path / "made" / "two").resolve().name == "two", "it sees its name, however it is started"
    assert (tmp_path / "made" / "one").read_text() == "several"
