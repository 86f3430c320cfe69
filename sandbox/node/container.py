"""One container: its process, probes and restarts."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox.node import images, probes, rootfs
from sandbox.node.context import Node, Pulse
from sandbox.node.environment import Lookup, MissingError, container_env, expand
from sandbox.node.rootfs import Mount
from sandbox.node.status import ContainerStatus
from sandbox.watch import Json

RestartPolicy = Literal["Always", "OnFailure", "Never"]

_BACKOFF_FIRST, _BACKOFF_MAX, _BACKOFF_RESET = 10.0, 300.0, 600.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def restart_delay(failures: int) -> float:
    """Return the seconds before a restart, after so many earlier ones: none, 10, 20, 40, ... 300."""
    return 0.0 if failures == 0 else min(_BACKOFF_FIRST * 2 ** (failures - 1), _BACKOFF_MAX)


def exit_code(returncode: int) -> int:
    """Return a process's exit code as container runtimes give it: 128 and the signal that ended it."""
    return 128 - returncode if returncode < 0 else returncode


@dataclass
class PodView:
    """What a container sees of its Pod."""

    pod: Callable[[], Json]
    """The Pod as it is now."""
    directory: Path
    ip: str
    netns: Path | None
    """The Pod's network namespace; None for the node's own."""
    lookup: Lookup
    inputs: Pulse
    """Fires when a ConfigMap or Secret of the namespace has changed."""
    mounts: Callable[[Json], list[Mount]]
    files: dict[str, str]
    """/etc/hosts, /etc/resolv.conf, /etc/hostname."""
    changed: Callable[[], None]
    """Called when the container's status has changed."""


class Container:
    """Runs one container of a Pod, and restarts it by its policy."""

    def __init__(self, spec: Json, restart: RestartPolicy, node: Node, view: PodView) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        uid = view.pod()["metadata"]["uid"]
        self.status = ContainerStatus(
            self.name, spec["image"], f"sandbox://{uid}/{self.name}", restartable=restart == "Always"
        )
        self._restart = restart
        self._node = node
        self._view = view
        self._directory = view.directory / "containers" / self.name
        self._working_dir: str = spec.get("workingDir") or "/"
        self._process: asyncio.subprocess.Process | None = None
        self._env: dict[str, str] = {}
        self._started_at = ""
        self.up = asyncio.Event()
        """Set when the container has started, its startup probe included."""

    @property
    def log_file(self) -> Path:
        """Where its output goes."""
        metadata = self._view.pod()["metadata"]
        return self._node.log_dir / f"{metadata['namespace']}_{metadata['name']}_{self.name}.log"

    async def run(self) -> None:
        """Run until there is nothing to restart."""
        failures = 0
        while True:
            await self._start()
            began = time.monotonic()
            code = await self._watch_over()
            if self._restart == "Never" or (self._restart == "OnFailure" and code == 0):
                self._view.changed()
                return
            failures = 0 if time.monotonic() - began > _BACKOFF_RESET else failures
            self.status.last_state = self.status.state
            delay = restart_delay(failures)
            self.status.wait("CrashLoopBackOff", f"back-off {delay:.0f}s restarting failed container={self.name}")
            self._view.changed()
            if delay:
                await self._record("BackOff", f"Back-off restarting failed container {self.name}")
                await asyncio.sleep(delay)
            failures += 1
            self.status.restarts += 1

    async def stop(self, grace: float) -> None:
        """End the process: preStop, SIGTERM, then SIGKILL when `grace` seconds have passed in all."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            async with asyncio.timeout(grace):
                if command := _hook(self.spec, "preStop"):
                    await self.execute(command)
                with suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()
        except TimeoutError:
            self._kill_group(process)
            await process.wait()
        self._ended(process)

    async def execute(self, command: list[str]) -> tuple[int, str]:
        """Run a command in the container; return its exit code and output."""
        if self._process is None:
            raise OSError("the container does not run")
        process = await asyncio.create_subprocess_exec(
            *("nsenter", f"--target={self._process.pid}", "--mount", "--uts", "--net"),
            *rootfs.run_in(self._directory / "root", command, self._env, self._working_dir),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = await process.communicate()
        finally:
            self._kill_group(process)
        return exit_code(process.returncode or 0), output.decode(errors="replace")

    async def _start(self) -> None:
        argv, script = await self._prepared()
        enter = ["nsenter", f"--net={self._view.netns}"] if self._view.netns else []
        mounted, held = os.pipe()
        with self.log_file.open("ab") as output, os.fdopen(mounted, "rb") as closed, os.fdopen(held, "wb") as pipe:
            self._process = await asyncio.create_subprocess_exec(
                *enter, "unshare", "--mount", "--uts", "sh", str(script),
                stdin=pipe, stdout=output, stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
            pipe.close()
            await asyncio.to_thread(closed.read)  # until the script lets go of it, or has failed
        self.status.run()
        self._started_at = self.status.state["running"]["startedAt"]
        self._view.changed()
        await self._record("Started", f"Started container {self.name}: {argv[0]}", warning=False)
        if command := _hook(self.spec, "postStart"):
            await self.execute(command)

    async def _prepared(self) -> tuple[Sequence[str], Path]:
        """Return the program's argv and the script that becomes it, once all it needs is there."""
        while True:
            seen = self._view.inputs.count
            try:
                return self._prepare()
            except images.UnknownImageError as error:
                self.status.wait("ErrImagePull", str(error))
                self._view.changed()
                await self._record("Failed", f"Failed to pull image: {error}")
                await asyncio.sleep(_BACKOFF_FIRST)
                self.status.wait("ImagePullBackOff", str(error))
                self._view.changed()
                await asyncio.Event().wait()  # no image is ever added: until the Pod is deleted
            except MissingError as error:
                self.status.wait("CreateContainerConfigError", str(error))
                self._view.changed()
                await self._record("Failed", f"Error: {error}")
                await self._view.inputs.beyond(seen)

    def _prepare(self) -> tuple[Sequence[str], Path]:
        view, spec = self._view, self.spec
        image = images.find(self._node.images, spec["image"])
        pod = view.pod()
        hostname = view.files["/etc/hostname"].strip()
        base = {"PATH": _PATH, "HOME": "/root", "HOSTNAME": hostname}
        self._env = container_env(
            spec,
            pod,
            base=base | image.env | self._node.service_env,
            lookup=view.lookup,
            pod_ip=view.ip,
            node=self._node.info,
        )
        command = [expand(part, self._env) for part in spec.get("command") or []]
        entrypoint = [rootfs.on_host(Path(image.entrypoint[0])), *image.entrypoint[1:]]
        argv = [*(command or entrypoint), *(expand(part, self._env) for part in spec.get("args") or [])]
        shutil.rmtree(self._directory, ignore_errors=True)
        root, script = self._directory / "root", self._directory / "start.sh"
        root.mkdir(parents=True)
        mounts = view.mounts(spec)
        rootfs.build(root, mounts, links=image.files, files=view.files, working_dir=self._working_dir)
        script.touch(mode=0o600)
        script.write_text(
            rootfs.start_script(root, mounts, argv, self._env, hostname=hostname, working_dir=self._working_dir)
        )
        return argv, script

    async def _watch_over(self) -> int:
        """Return the exit code, after ending the process if its liveness or startup probe wants that."""
        process = self._process
        assert process is not None, "only a started container is watched"  # noqa: S101
        exited = asyncio.create_task(process.wait())
        unhealthy = asyncio.create_task(self._probe())
        try:
            await asyncio.wait({exited, unhealthy}, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                await self._record("Killing", f"Container {self.name} failed its probe, will be restarted")
                await self.stop(self._view.pod()["spec"].get("terminationGracePeriodSeconds", 30))
            await exited
        finally:
            unhealthy.cancel()
            exited.cancel()
        self._ended(process)
        return exit_code(process.returncode or 0)

    def _ended(self, process: asyncio.subprocess.Process) -> None:
        self._kill_group(process)  # what the program has started and left behind
        if "running" not in self.status.state:
            return
        code = exit_code(process.returncode or 0)
        message = (
            self._last_words() if code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError" else ""
        )
        self.status.exit(code, self._started_at, message)
        self.up.clear()

    def _last_words(self) -> str:
        return self.log_file.read_bytes()[-2048:].decode(errors="replace")

    def _kill_group(self, process: asyncio.subprocess.Process) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    async def _probe(self) -> None:
        """Set `started` and `ready` by the probes; return when the container is to be killed."""
        async for passed in self._states("startupProbe", default=True):
            if not passed:
                return
            break
        self.status.started = True
        self.up.set()
        self._view.changed()
        readiness = asyncio.create_task(self._follow_readiness())
        try:
            async for alive in self._states("livenessProbe"):
                if not alive:
                    return
            await readiness  # without a liveness probe nothing ends the container but itself
        finally:
            readiness.cancel()

    async def _follow_readiness(self) -> None:
        async for ready in self._states("readinessProbe", default=True):
            if ready != self.status.ready:
                self.status.ready = ready
                self._view.changed()
        await asyncio.Event().wait()

    async def _states(self, kind: str, *, default: bool | None = None) -> AsyncIterator[bool]:
        """Yield every settled state of a probe; the default alone where the container has no such probe."""
        probe = self.spec.get(kind)
        if probe is None:
            if default is not None:
                yield default
            return
        threshold = probes.Threshold.of(probe)
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        while True:
            passed = True
            try:
                await probes.check(probe, self.spec, self._view.ip, self.execute)
            except probes.ProbeError as error:
                passed = False
                await self._record("Unhealthy", f"{kind.removesuffix('Probe').capitalize()} probe failed: {error}")
            if (state := threshold.observe(passed)) is not None:
                yield state
            await asyncio.sleep(probe.get("periodSeconds", 10))

    async def _record(self, reason: str, message: str, *, warning: bool = True) -> None:
        await self._node.record(self._view.pod(), reason, message, warning=warning)


def _hook(spec: Json, name: str) -> list[str]:
    """Return the command of a lifecycle hook; only `exec` hooks are known."""
    hook = ((spec.get("lifecycle") or {}).get(name) or {}).get("exec") or {}
    command: list[str] = hook.get("command") or []
    return command
