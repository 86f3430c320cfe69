"""One container: its process, probes and restarts."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sandbox import paths
from sandbox.api import Json
from sandbox.node import images, probes, rootfs
from sandbox.node.environment import MissingError, container_env, expand
from sandbox.node.status import ContainerStatus

if TYPE_CHECKING:
    from sandbox.node.pod import PodWorker

RestartPolicy = Literal["Always", "OnFailure", "Never"]

_BACKOFF_FIRST, _BACKOFF_MAX, _BACKOFF_RESET = 10.0, 300.0, 600.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def restart_delay(failures: int) -> float:
    """Return the seconds before a restart by the number of earlier ones: 0, 10, 20, 40, ... 300."""
    return 0.0 if failures == 0 else min(_BACKOFF_FIRST * 2 ** (failures - 1), _BACKOFF_MAX)


def exit_code(returncode: int) -> int:
    """Return a process's exit code as container runtimes report it: 128 plus the signal that ended it."""
    return 128 - returncode if returncode < 0 else returncode


class Container:
    """Runs one container of a Pod, and restarts it by its policy."""

    def __init__(self, spec: Json, restart: RestartPolicy, worker: PodWorker) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        metadata = worker.pod["metadata"]
        identity = f"sandbox://{metadata['uid']}/{self.name}"
        self.status = ContainerStatus(self.name, spec["image"], identity, restartable=restart == "Always")
        self.log_file = paths.POD_LOGS / f"{metadata['namespace']}_{metadata['name']}_{self.name}.log"
        self._restart = restart
        self._worker = worker
        self._directory = worker.directory / "containers" / self.name
        self._process: asyncio.subprocess.Process | None = None
        self._env: dict[str, str] = {}
        self._started_at = ""
        self.up = asyncio.Event()
        """Set when the container has started and its startup probe has passed."""

    async def run(self) -> None:
        """Run until the policy restarts it no more."""
        failures = 0
        while True:
            await self._start()
            began = time.monotonic()
            code = await self._watch_over()
            if self._restart == "Never" or (self._restart == "OnFailure" and code == 0):
                self._worker.changed.fire()
                return
            failures = 0 if time.monotonic() - began > _BACKOFF_RESET else failures
            self.status.last_state = self.status.state
            delay = restart_delay(failures)
            self.status.wait("CrashLoopBackOff", f"back-off {delay:.0f}s restarting failed container={self.name}")
            self._worker.changed.fire()
            if delay:
                await self._record("BackOff", f"Back-off restarting failed container {self.name}")
                await asyncio.sleep(delay)
            failures += 1
            self.status.restarts += 1

    async def stop(self, grace: float) -> None:
        """End the process: preStop, SIGTERM, then SIGKILL `grace` seconds after the start of the first."""
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
        """Run a command in the container and return its exit code and output.

        Raises:
            OSError: the container does not run.
        """
        if self._process is None:
            raise OSError("the container does not run")
        process = await asyncio.create_subprocess_exec(
            *("nsenter", f"--target={self._process.pid}", "--mount", "--uts", "--net"),
            *rootfs.run_in(self._directory / "root", command, self._env),
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
        program, script = await self._prepare_when_possible()
        mounted, held = os.pipe()
        with self.log_file.open("ab") as output, os.fdopen(mounted, "rb") as closed, os.fdopen(held, "wb") as pipe:
            self._process = await asyncio.create_subprocess_exec(
                "nsenter", f"--net={self._worker.netns}", "unshare", "--mount", "--uts", "sh", str(script),
                stdin=pipe, stdout=output, stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
            pipe.close()
            await asyncio.to_thread(closed.read)  # until everything is mounted, or the script has failed
        self.status.run()
        self._started_at = self.status.state["running"]["startedAt"]
        self._worker.changed.fire()
        await self._record("Started", f"Started container {self.name}: {program}", warning=False)
        if command := _hook(self.spec, "postStart"):
            await self.execute(command)

    async def _prepare_when_possible(self) -> tuple[str, Path]:
        """Return the program and the script that becomes it, once the image and all objects exist."""
        while True:
            count = self._worker.inputs.count
            try:
                return self._prepare()
            except images.UnknownImageError as error:
                self.status.wait("ErrImagePull", str(error))
                self._worker.changed.fire()
                await self._record("Failed", f"Failed to pull image: {error}")
                await asyncio.sleep(_BACKOFF_FIRST)
                self.status.wait("ImagePullBackOff", str(error))
                self._worker.changed.fire()
                await asyncio.Event().wait()  # until the Pod is deleted: images are never added
            except MissingError as error:
                self.status.wait("CreateContainerConfigError", str(error))
                self._worker.changed.fire()
                await self._record("Failed", f"Error: {error}")
                await self._worker.inputs.beyond(count)

    def _prepare(self) -> tuple[str, Path]:
        worker, spec = self._worker, self.spec
        image = images.find(spec["image"])
        hostname = worker.pod["metadata"]["name"]
        base = {"PATH": _PATH, "HOME": "/root", "HOSTNAME": hostname} | image.env | worker.node.service_env
        self._env = container_env(spec, worker.pod, base=base, lookup=worker.volumes.lookup, pod_ip=worker.ip)
        command = [expand(part, self._env) for part in spec.get("command") or []]
        entrypoint = [rootfs.on_host(Path(image.entrypoint[0])), *image.entrypoint[1:]]
        argv = [*(command or entrypoint), *(expand(part, self._env) for part in spec.get("args") or [])]
        shutil.rmtree(self._directory, ignore_errors=True)
        root, script = self._directory / "root", self._directory / "start.sh"
        root.mkdir(parents=True)
        mounts = worker.volumes.mounts(spec)
        rootfs.build(root, mounts, links=image.files, files=worker.etc_files())
        text = rootfs.start_script(root, mounts, argv, self._env, hostname=hostname)
        script.touch(mode=0o600)
        script.write_text(text)
        return argv[0], script

    async def _watch_over(self) -> int:
        """Return the exit code; a failed liveness or startup probe ends the process."""
        process = self._process
        assert process is not None, "only a started container is watched"  # noqa: S101
        exited = asyncio.create_task(process.wait())
        unhealthy = asyncio.create_task(self._probe())
        try:
            await asyncio.wait({exited, unhealthy}, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                await self._record("Killing", f"Container {self.name} failed its probe, will be restarted")
                await self.stop(self._worker.pod["spec"].get("terminationGracePeriodSeconds", 30))
            await exited
        finally:
            unhealthy.cancel()
            exited.cancel()
        self._ended(process)
        return exit_code(process.returncode or 0)

    def _ended(self, process: asyncio.subprocess.Process) -> None:
        self._kill_group(process)  # the program's own children
        if "running" not in self.status.state:
            return
        code = exit_code(process.returncode or 0)
        message = ""
        if code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            message = self.log_file.read_bytes()[-2048:].decode(errors="replace")
        self.status.exit(code, self._started_at, message)
        self.up.clear()

    def _kill_group(self, process: asyncio.subprocess.Process) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    async def _probe(self) -> None:
        """Set `started` and `ready` by the probes; return when the container has to be killed."""
        async for passed in self._states("startupProbe", default=True):
            if not passed:
                return
            break
        self.status.started = True
        self.up.set()
        self._worker.changed.fire()
        readiness = asyncio.create_task(self._follow_readiness())
        try:
            async for alive in self._states("livenessProbe"):
                if not alive:
                    return
            await readiness  # for ever: there is no liveness probe
        finally:
            readiness.cancel()

    async def _follow_readiness(self) -> None:
        async for ready in self._states("readinessProbe", default=True):
            if ready != self.status.ready:
                self.status.ready = ready
                self._worker.changed.fire()
        await asyncio.Event().wait()

    async def _states(self, kind: str, *, default: bool | None = None) -> AsyncIterator[bool]:
        """Yield every settled state of a probe, or only the default if the container has no such probe."""
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
                await probes.check(probe, self.spec, self._worker.ip, self.execute)
            except probes.ProbeError as error:
                passed = False
                await self._record("Unhealthy", f"{kind.removesuffix('Probe').capitalize()} probe failed: {error}")
            if (state := threshold.observe(passed)) is not None:
                yield state
            await asyncio.sleep(probe.get("periodSeconds", 10))

    async def _record(self, reason: str, message: str, *, warning: bool = True) -> None:
        await self._worker.node.record(self._worker.pod, reason, message, warning=warning)


def _hook(spec: Json, name: str) -> list[str]:
    """Return the command of an `exec` lifecycle hook; other kinds are not supported."""
    hook = ((spec.get("lifecycle") or {}).get(name) or {}).get("exec") or {}
    command: list[str] = hook.get("command") or []
    return command
