"""A Kubernetes client that chooses its cluster as Pulumi's provider does."""

from pathlib import Path

from kubernetes import client, config

from .kubeconfig import is_content, parse


def api_client(kubeconfig: str | None = None, context: str | None = None) -> client.ApiClient:
    """Return a client for a path or content; without either for KUBECONFIG, ~/.kube/config or the Pod's own account.

    Raises:
        kubernetes.config.ConfigException: there is no such kubeconfig or context, or it cannot be read. The text quotes
            no value of it.
    """
    settings = client.Configuration()
    try:
        _load(settings, kubeconfig, context)
    except config.ConfigException:
        # Its words name keys, contexts and users of the kubeconfig, and none of its values.
        raise
    except OSError as error:
        raise config.ConfigException(f"the kubeconfig cannot be read: {error}") from None
    except Exception as error:
        # The parsers' words quote what they cannot read, which may be a key.
        raise config.ConfigException(f"the kubeconfig cannot be read: {type(error).__name__}") from None
    settings.retries = False
    return client.ApiClient(settings)


def _load(settings: client.Configuration, kubeconfig: str | None, context: str | None) -> None:
    options = {"context": context or None, "client_configuration": settings, "persist_config": False}
    if kubeconfig and is_content(kubeconfig):
        try:
            parsed = parse(kubeconfig)
        except ValueError as error:
            raise config.ConfigException(f"the kubeconfig {error}") from None
        config.load_kube_config_from_dict(parsed, **options)
    elif kubeconfig:
        config.load_kube_config(str(Path(kubeconfig).expanduser()), **options)
    else:
        try:
            config.load_kube_config(**options)
        except config.ConfigException:
            config.load_incluster_config(settings)
