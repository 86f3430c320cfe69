"""Kubeconfigs: told apart from paths of them, and made for GKE without credentials."""

from typing import Any


def is_content(kubeconfig: str) -> bool:
    """Tell the content of a kubeconfig (YAML or JSON) from the path of one."""
    return "\n" in kubeconfig.strip() or kubeconfig.lstrip().startswith("{")


def gke_kubeconfig(name: str, endpoint: str, authority: str) -> dict[str, Any]:
    """Return the kubeconfig of a GKE cluster; it holds no credentials, since the gcloud plugin brings them.

    Args:
        name: the cluster's.
        endpoint: host or address of its API server.
        authority: the API server's CA, base64 of PEM.
    """
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
        "installHint": "gcloud components install gke-gcloud-auth-plugin",
        "interactiveMode": "Never",
        "provideClusterInfo": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {"server": f"https://{endpoint}", "certificate-authority-data": authority},
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "users": [{"name": name, "user": {"exec": plugin}}],
    }
