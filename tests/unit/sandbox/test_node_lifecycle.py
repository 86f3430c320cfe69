"""Probes, restarts and Pod status, as in a kubelet."""

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from sandbox.node.container import exit_code, restart_delay
from sandbox.node.pod import hosts_file
from sandbox.node.probes import ProbeError, Threshold, check
from sandbox.node.status import ContainerStatus, phase, pod_status

POD: dict[str, Any] = {"metadata": {"name": "web"}, "spec": {}}


def container(**state: Any) -> ContainerStatus:
    status = ContainerStatus("web", "image", "sandbox://web")
    if state:
        status.state = state
    return status


def ended(code: int) -> ContainerStatus:
    return container(terminated={"exitCode": code})


def test_one_result_settles_nothing_before_its_threshold() -> None:
    threshold = Threshold(success=2, failure=3)
    observed = [threshold.observe(passed) for passed in (True, True, False, False, False, True)]
    assert observed == [None, True, None, None, False, None], "only a full row of equal results counts"


def test_a_probe_that_hangs_fails_with_its_timeout() -> None:
    async def hang(_: list[str]) -> tuple[int, str]:
        await asyncio.Event().wait()
        return 0, ""

    probe = {"exec": {"command": ["true"]}, "timeoutSeconds": 0.01}
    with pytest.raises(ProbeError, match=r"timed out after 0.01 s"):
        asyncio.run(check(probe, {}, "127.0.0.1", hang))


@pytest.mark.parametrize(("status", "passes"), [(200, True), (301, True), (503, False)])
def test_an_http_probe_accepts_200_to_399(status: int, passes: bool) -> None:
    async def scenario() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 {status} x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".encode())
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            await check({"httpGet": {"port": port}}, {}, "127.0.0.1", lambda _: pytest.fail("no command to run"))

    with nullcontext() if passes else pytest.raises(ProbeError, match="statuscode: 503"):
        asyncio.run(scenario())


def test_restarts_back_off_and_exit_codes_are_those_of_a_kubelet() -> None:
    assert [restart_delay(failures) for failures in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert [exit_code(code) for code in (0, 3, -9, -15)] == [0, 3, 137, 143], "a signal is 128 plus its number"


@pytest.mark.parametrize(
    ("inits", "containers", "expected"),
    [
        ([], [container()], "Pending"),
        ([], [container(running={}), container()], "Running"),
        ([], [ended(0), ended(0)], "Succeeded"),
        ([], [ended(0), ended(1)], "Failed"),
        ([], [ended(0), container(running={})], "Running"),
        ([ended(1)], [container()], "Failed"),
        ([ended(0)], [container()], "Pending"),
    ],
)
def test_the_phase_follows_the_containers(
    inits: list[ContainerStatus], containers: list[ContainerStatus], expected: str
) -> None:
    assert phase(inits, containers) == expected, "the phases of the Pod lifecycle"


def test_a_crashing_container_is_running_not_pending() -> None:
    crashing = ended(1)
    crashing.last_state = crashing.state
    crashing.wait("CrashLoopBackOff")
    assert phase([], [crashing]) == "Running", "it has run, and will again"


def test_a_condition_keeps_its_transition_time_until_it_changes() -> None:
    times = {"start_time": "t", "pod_ip": "10.244.1.1"}
    web = container(running={})
    first = pod_status(POD, [], [web], previous={}, **times)
    for condition in first["conditions"]:
        condition["lastTransitionTime"] = "earlier"
    web.ready = True
    second = pod_status(POD, [], [web], previous=first, **times)
    changed = {item["type"]: item["lastTransitionTime"] != "earlier" for item in second["conditions"]}
    assert (changed["Initialized"], changed["Ready"]) == (False, True)


def test_a_pod_knows_its_host_aliases() -> None:
    pod = {"metadata": {"name": "web"}, "spec": {"hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a", "b"]}]}}
    assert hosts_file(pod, "10.244.1.1").splitlines()[-2:] == ["10.244.1.1 web", "192.0.2.1 a b"]
