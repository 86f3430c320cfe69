"""Kubeconfigs: content told from a path, and GKE's without credentials."""

import pytest

from components.rules.kubeconfig import gke_kubeconfig, is_content


class TestKubeconfig:
    @pytest.mark.parametrize(
        ("text", "content"),
        [("~/.kube/config", False), ("/run/kubeconfig\n", False), ("{}", True), ("apiVersion: v1\nkind: Config", True)],
    )
    def test_content_is_told_from_a_path(self, text: str, content: bool) -> None:
        assert is_content(text) is content

    def test_gke_is_entered_with_the_plugin(self) -> None:
        spec = gke_kubeconfig("platform", "192.0.2.1", "Q0E=")

        assert spec["users"][0]["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
        assert spec["clusters"][0]["cluster"]["server"] == "https://192.0.2.1"
        assert spec["current-context"] == "platform"
