"""The Kubernetes client: what it asks for, and what its errors say."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from components.kube.client import Client, ClusterError, RefusedError
from tests.unit.api_server import Api

SECRETS = "/api/v1/namespaces/edge/secrets"


def test_an_object_is_read_by_its_name_and_a_missing_one_is_none(api: Api) -> None:
    api.objects[f"{SECRETS}/shop"] = {"data": {"a": "b"}}

    assert api.client().get("v1", "secrets", "shop", "edge") == {"data": {"a": "b"}}
    assert api.client().get("v1", "secrets", "other", "edge") is None


def test_an_object_that_may_not_be_read_is_told_apart_from_one_that_is_missing(api: Api) -> None:
    client = api.client()
    assert client.get_if_allowed("v1", "secrets", "shop", "edge") == {}

    api.refused = 403
    assert client.get_if_allowed("v1", "secrets", "shop", "edge") is None

    api.close()
    with pytest.raises(ClusterError, match="does not answer"):
        client.get_if_allowed("v1", "secrets", "shop", "edge")


def test_a_name_that_somebody_else_wrote_leads_to_no_other_object(api: Api) -> None:
    api.objects[f"{SECRETS}/shop"] = {}

    assert api.client().get("v1", "configmaps", "../secrets/shop", "edge") is None


def test_a_refusal_has_its_status_and_a_kind_that_the_cluster_does_not_know_is_one(api: Api) -> None:
    with pytest.raises(RefusedError, match="the API server answers 404") as refused:
        api.client().items("cert-manager.io/v1", "certificates")
    assert refused.value.status == 404
    assert api.client().resources("cert-manager.io/v1") is None

    api.refused = 403
    with pytest.raises(RefusedError, match="the API server answers 403 Forbidden"):
        api.client().get("v1", "secrets", "shop", "edge")


def test_a_long_list_is_asked_for_in_pages(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(path: str) -> tuple[int, bytes]:
        query = parse_qs(urlsplit(path).query)
        asked.append(query)
        following = {} if "continue" in query else {"continue": "second"}
        item = {"metadata": {"name": "second" if "continue" in query else "first"}}
        return 200, json.dumps({"metadata": {"resourceVersion": "7", **following}, "items": [item]}).encode()

    monkeypatch.setattr(api, "answer", answer)
    listed = api.client().listed("v1", "secrets", "edge", label_selector="app=shop")

    assert [item["metadata"]["name"] for item in listed["items"]] == ["first", "second"]
    assert listed["metadata"] == {"resourceVersion": "7"}, "a watch goes on from there"
    assert [query.pop("continue", None) for query in asked] == [None, ["second"]]
    assert asked == [{"limit": ["100"], "labelSelector": ["app=shop"]}] * 2, "with the same selectors"


def test_a_page_in_the_place_of_an_answer_is_an_error_and_no_traceback(api: Api) -> None:
    api.objects["/version/"] = b"<html>Sign in</html>"

    with pytest.raises(ClusterError, match="answers with something else than JSON"):
        api.client().ask_version()


def test_a_server_that_does_not_answer_is_named_with_the_cause(api: Api) -> None:
    client = Client(api.kubeconfig)
    api.close()

    with pytest.raises(ClusterError, match=r"^http://127\.0\.0\.1:\d+ does not answer: NewConnectionError$"):
        client.ask_version()
