"""The cluster: one set of credentials for Pulumi's provider and for the few reads that no provider offers."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_gcp as gcp
import yaml
from kubernetes import client, config


def is_content(kubeconfig: str) -> bool:
    """Tell the content of a kubeconfig (YAML or JSON) from the path of one."""
    return "\n" in kubeconfig.strip() or kubeconfig.lstrip().startswith("{")


def kubeconfig_input(kubeconfig: str | None) -> pulumi.Input[str] | None:
    """Return the kubeconfig as resources take it: content holds credentials, so it is a secret; a path is none."""
    if kubeconfig is None or not is_content(kubeconfig):
        return kubeconfig
    return pulumi.Output.secret(kubeconfig)


def gke_kubeconfig(cluster: str, location: str, project: str | None = None) -> str:
    """Look a GKE cluster up and return a kubeconfig that holds no credentials: the gcloud plugin brings them.

    Raises:
        pulumi.RunError: when the cluster cannot be read.
    """
    try:
        found = gcp.container.get_cluster(name=cluster, location=location, project=project)
        authority = found.master_auths[0].cluster_ca_certificate
    except Exception as error:
        raise pulumi.RunError(
            f"the GKE cluster '{cluster}' in '{location}' cannot be read: {error}\n"
            f"    gcloud container clusters list --filter name={cluster}\n"
            "    pulumi config set --path gke.cluster NAME && pulumi config set --path gke.location LOCATION"
        ) from None
    return json.dumps(kubeconfig_spec(cluster, found.endpoint, authority))


def kubeconfig_spec(name: str, endpoint: str, authority: str) -> dict[str, Any]:
    """Return the kubeconfig of a GKE cluster, from its endpoint (host or address) and CA (base64 of PEM)."""
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


def api_client(kubeconfig: str | None = None, context: str | None = None) -> client.ApiClient:
    """Return a Kubernetes client with the same choice of cluster as the provider's.

    Args:
        kubeconfig: a path or content; without it KUBECONFIG, ~/.kube/config, or the Pod's own ServiceAccount.
        context: a context of the kubeconfig, if not its current one.

    Raises:
        kubernetes.config.ConfigException: when there is no such kubeconfig or context.
    """
    settings = client.Configuration()
    options = {"context": context, "client_configuration": settings}
    if kubeconfig and is_content(kubeconfig):
        config.load_kube_config_from_dict(_parse(kubeconfig), persist_config=False, **options)
    elif kubeconfig:
        config.load_kube_config(str(Path(kubeconfig).expanduser()), persist_config=False, **options)
    else:
        try:
            config.load_kube_config(persist_config=False, **options)
        except config.ConfigException:
            config.load_incluster_config(settings)
    settings.retries = False
    return client.ApiClient(settings)


def _parse(content: str) -> dict[str, Any]:
    parsed = yaml.safe_load(content)
    if not isinstance(parsed, dict):
        raise config.ConfigException("the kubeconfig is not a mapping")
    return parsed
