"""The node agent against the real API server, controllers and kube-proxy, from inside the sandbox."""

import functools
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.testing import client, cluster, eventually, resource

pytestmark = pytest.mark.sandbox

NAMESPACE = "node-test"


def kubectl(*arguments: str, manifest: Any = None) -> str:
    return cluster.kubectl("--namespace", NAMESPACE, *arguments, manifest=manifest)


def live(kind: str, name: str) -> dict[str, Any]:
    return cluster.live(kind, name, NAMESPACE)


def answer_of(address: str, path: str) -> dict[str, Any] | None:
    """Return the demo application's answer; None while kube-proxy does not know it."""
    try:
        answer: dict[str, Any] = client.plain(address, path, port=8080).json()
    except OSError:
        return None
    return answer


def shell(name: str, script: str, **container: Any) -> dict[str, Any]:
    return {"name": name, "image": "sandbox/demo", "command": ["sh", "-c", script]} | container


def pod(name: str, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    body = {"containers": list(containers), "terminationGracePeriodSeconds": 2} | spec
    manifest = resource("v1", "Pod", name, spec=body)
    manifest["metadata"]["labels"] = {"app": name}
    return manifest


def service(name: str, port: int, **spec: Any) -> dict[str, Any]:
    body = {"selector": {"app": name}, "ports": [{"port": port, "targetPort": "http"}]} | spec
    return resource("v1", "Service", name, spec=body)


def data(kind: str, name: str, **values: str) -> dict[str, Any]:
    key = "stringData" if kind == "Secret" else "data"
    return resource("v1", kind, name, None, **{key: values})


def apply(*objects: dict[str, Any]) -> None:
    kubectl("apply", manifest=list(objects))


def demo(name: str) -> dict[str, Any]:
    return {
        "name": "demo",
        "image": "sandbox/demo",
        "env": [{"name": "PORT", "value": "80"}, {"name": "APP_NAME", "value": name}],
        "ports": [{"name": "http", "containerPort": 80}],
        "readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 1},
    }


def waiting_reason(name: str) -> dict[str, str]:
    statuses = live("pod", name)["status"].get("containerStatuses") or [{"state": {}}]
    waiting: dict[str, str] = statuses[0]["state"].get("waiting") or {"reason": ""}
    return waiting


def log_of(name: str, *options: str) -> str:
    """Return what a Pod has printed; the node does not know it at once, as a kubelet."""
    return "" if live("pod", name)["status"]["phase"] == "Pending" else kubectl("logs", name, *options)


@pytest.fixture(autouse=True, scope="module")
def namespace() -> Iterator[None]:
    """A namespace that is gone afterwards with every Pod: no finalizer hangs."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    eventually("the default ServiceAccount exists", lambda: "default" in kubectl("get", "sa", "--output=name"))
    yield
    cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=55s")


def test_a_service_is_reached_by_its_addresses_from_outside() -> None:
    apply(pod("web", demo("web")), service("web", 8080, type="LoadBalancer"))
    kubectl("wait", "pod/web", "--for=condition=Ready", "--timeout=120s")
    eventually("an address is given", lambda: live("service", "web")["status"]["loadBalancer"].get("ingress"))
    web = live("service", "web")
    addresses = [web["spec"]["clusterIP"], web["status"]["loadBalancer"]["ingress"][0]["ip"]]
    assert addresses[1].startswith("203.0.113."), "load balancers are in TEST-NET-3"
    for address in addresses:
        answer = eventually(f"{address} answers", functools.partial(answer_of, address, "/path"))
        assert (answer["app"], answer["path"]) == ("web", "/path"), "the request reached the Pod"


def test_a_pod_reaches_itself_through_its_service() -> None:
    script = f"until curl -sS -m 2 http://own.{NAMESPACE}:8080/hairpin; do sleep 0.3; done"
    client = shell("client", script)
    apply(pod("own", demo("own"), client, restartPolicy="OnFailure"), service("own", 8080))
    eventually("the answer is logged", lambda: '"path": "/hairpin"' in log_of("own", "-c", "client"))


def test_a_pod_talks_to_the_api_server_with_its_own_account_and_no_more_rights() -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
    rbac = "rbac.authorization.k8s.io"
    role = resource(f"{rbac}/v1", "Role", "reader", rules=rules)
    reference = {"apiGroup": rbac, "kind": "Role", "name": "reader"}
    subjects = [{"kind": "ServiceAccount", "name": "default", "namespace": NAMESPACE}]
    binding = resource(f"{rbac}/v1", "RoleBinding", "reader", roleRef=reference, subjects=subjects)
    script = f"""
        cd /var/run/secrets/kubernetes.io/serviceaccount
        for what in configmaps secrets; do
            curl -sS -o /dev/null -w "$what=%{{http_code}}\\n" \\
                --cacert ca.crt -H "Authorization: Bearer $(cat token)" \\
                https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/api/v1/namespaces/{NAMESPACE}/$what
        done"""
    apply(role, binding, pod("client", shell("curl", script), restartPolicy="Never"))
    eventually("the Pod has succeeded", lambda: live("pod", "client")["status"]["phase"] == "Succeeded")
    assert kubectl("logs", "client").split() == ["configmaps=200", "secrets=403"], "the account's own RBAC applies"


def test_a_running_pod_sees_a_changed_config_map() -> None:
    volume = {"name": "cfg", "configMap": {"name": "cfg"}}
    watcher = shell(
        "watcher",
        "while sleep 0.1; do cat /etc/app/level; done",
        volumeMounts=[{"name": "cfg", "mountPath": "/etc/app"}],
    )
    apply(data("ConfigMap", "cfg", level="one\n"), pod("watcher", watcher, volumes=[volume]))
    eventually("the first value is read", lambda: "one" in log_of("watcher"))
    apply(data("ConfigMap", "cfg", level="two\n"))
    eventually("the second value is read", lambda: "two" in log_of("watcher", "--tail=1"))


def test_a_pod_waits_for_a_secret_that_comes_later() -> None:
    env = [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}}]
    apply(pod("late", shell("main", "echo got $PASSWORD; sleep 60", env=env)))
    eventually("the Pod waits", lambda: waiting_reason("late")["reason"] == "CreateContainerConfigError")
    assert waiting_reason("late")["message"] == 'secret "login" not found', "the reason is in a kubelet's words"
    apply(data("Secret", "login", password="open"))
    eventually("the Pod has gone on", lambda: log_of("late") == "got open\n")


def test_a_failing_liveness_probe_restarts_the_container() -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/alive"]}, "periodSeconds": 1, "failureThreshold": 2}  # noqa: S108
    script = "touch /tmp/alive; sleep 1; rm /tmp/alive; exec sleep 600"
    apply(pod("dying", shell("main", script, livenessProbe=probe)))
    eventually("it is restarted", lambda: live("pod", "dying")["status"]["containerStatuses"][0]["restartCount"] >= 1)


def test_init_containers_and_sidecars_come_first_and_in_order() -> None:
    mounts = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    inits = [
        shell("first", "echo 1 >> /shared/order", **mounts),
        shell(
            "sidecar",
            "echo 2 >> /shared/order; touch /shared/up; exec sleep 600",
            restartPolicy="Always",
            startupProbe={"exec": {"command": ["test", "-e", "/shared/up"]}, "periodSeconds": 1},
            **mounts,
        ),
        shell("last", "echo 3 >> /shared/order", **mounts),
    ]
    main = shell("main", "cat /shared/order", **mounts)
    apply(
        pod("ordered", main, initContainers=inits, restartPolicy="Never", volumes=[{"name": "shared", "emptyDir": {}}])
    )
    eventually("the Pod has succeeded", lambda: live("pod", "ordered")["status"]["phase"] == "Succeeded")
    assert kubectl("logs", "ordered", "-c", "main").split() == ["1", "2", "3"], "one after the other"


def test_a_pod_ends_itself_on_sigterm_and_is_ended_when_it_does_not() -> None:
    polite = shell("main", "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    stubborn = shell("main", "trap '' TERM; while :; do sleep 0.1; done")
    apply(pod("polite", polite, terminationGracePeriodSeconds=20), pod("stubborn", stubborn))
    kubectl("wait", "pod/polite", "pod/stubborn", "--for=condition=Ready", "--timeout=120s")
    for name, most in (("polite", 15.0), ("stubborn", 20.0)):  # of 20 s, and of the default of 30 s
        began = time.monotonic()
        kubectl("delete", "pod", name, "--timeout=30s")
        assert time.monotonic() - began < most, f"{name}: SIGTERM at once, SIGKILL after the grace period"


def test_a_pod_has_a_name_an_address_and_a_tmp_of_its_own() -> None:
    script = "hostname; hostname -i || true; ls -A /tmp | wc -l; touch /tmp/x /etc/own; ip -brief address show eth0"
    apply(pod("alone", shell("main", script), restartPolicy="Never"))
    eventually("the Pod has succeeded", lambda: live("pod", "alone")["status"]["phase"] == "Succeeded")
    address = live("pod", "alone")["status"]["podIP"]
    lines = kubectl("logs", "alone").splitlines()
    assert lines[0] == "alone", "leader election and logs tell Pods apart by their host name"
    assert address in lines[-1], "the address in the status is the one on its device"
    assert "0" in lines, "no other Pod's files are in it"
