"""A Kubernetes client that chooses its cluster as Pulumi's provider does."""

from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

from .rules.kubeconfig import is_content


def api_client(kubeconfig: str | None = None, context: str | None = None) -> client.ApiClient:
    """Return a Kubernetes client.

    Args:
        kubeconfig: a path or content; without it KUBECONFIG, ~/.kube/config, or the Pod's own ServiceAccount.
        context: a context of the kubeconfig, if not its current one.

    Raises:
        kubernetes.config.ConfigException: there is no such kubeconfig or context.
    """
    settings = client.Configuration()
    options = {"context": context or None, "client_configuration": settings}
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
    try:
        parsed = yaml.safe_load(content)
    except yaml.YAMLError:
        # The parser's words quote the line, which may be a key.
        raise config.ConfigException("the kubeconfig is not YAML") from None
    if not isinstance(parsed, dict):
        raise config.ConfigException("the kubeconfig is not a mapping")
    return parsed
