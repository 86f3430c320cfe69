"""The move between the two APIs; tests/sandbox/test_gateway_api.py plays it."""

import pytest

from components.kube import cutover
from components.kube.client import RefusedError
from components.kube.credentials import Credentials
from tests.unit.api_server import Api

PLACE = ("istio-system", "tls", "istio-ingressgateway")


@pytest.mark.parametrize("old", [cutover.ISTIOS, cutover.KUBERNETES], ids=["istio", "gateway"])
def test_nothing_is_moved_where_there_is_nothing_of_the_other_api(api: Api, old: cutover.Gateways) -> None:
    cutover.move_aside(Credentials(api.kubeconfig), old, *PLACE)
    path = f"/apis/{old.group}/{old.version}/namespaces/istio-system/gateways/tls"
    api.objects[path] = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    cutover.move_aside(Credentials(api.kubeconfig), old, *PLACE)


def test_missing_rights_are_an_error_that_the_hook_turns_into_a_warning(api: Api) -> None:
    api.refused = 403
    with pytest.raises(RefusedError, match="403"):
        cutover.move_aside(Credentials(api.kubeconfig), cutover.ISTIOS, *PLACE)


def test_each_api_is_bound_to_a_service_in_its_own_way() -> None:
    host = "tls-aside.istio-system.svc.cluster.local"
    assert cutover.ISTIOS.patch(host) == {"metadata": {"annotations": {"internal.istio.io/gateway-service": host}}}
    assert cutover.KUBERNETES.patch(host) == {"spec": {"addresses": [{"type": "Hostname", "value": host}]}}
