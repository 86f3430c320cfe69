"""Kubeconfigs: told apart from paths of them, read without ever quoting them, and made for GKE without credentials."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_LISTS = {"clusters": "cluster", "contexts": "context", "users": "user"}
"""What a kubeconfig lists, and the key of each item's own part."""

_CREDENTIALS = ("token", "password", "client-key-data")
"""Of a user (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/). A file's path is none."""

GKE_PLUGIN = "gke-gcloud-auth-plugin"
"""What brings the credentials for a GKE cluster."""

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|API_?KEY", re.IGNORECASE)
"""Names of environment variables that hold credentials."""


def is_content(kubeconfig: str) -> bool:
    """Tell the content of a kubeconfig (YAML or JSON) from the path of one."""
    return "\n" in kubeconfig.strip() or kubeconfig.lstrip().startswith("{")


def parse(content: str) -> dict[str, Any]:
    """Return a kubeconfig's content.

    Raises:
        ValueError: it is none; the text is the reason, and quotes nothing of it.
    """
    # Loaded for content alone: most stacks name a GKE cluster or a path.
    import yaml

    try:
        config = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, LookupError, AttributeError) as error:
        # Those that are not the parser's own come of a tag whose value is none of its kind: `!!int x`.
        # The parser's own words quote the line, which may be a key.
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        raise ValueError("is not YAML" if line is None else f"is not YAML, from line {line + 1} on") from None
    if not isinstance(config, dict):
        raise ValueError("is not a mapping")
    for key, part in _LISTS.items():
        items = config.get(key) or []
        if not isinstance(items, list):
            raise ValueError(f"has {key} that are not a list")
        for position, item in enumerate(items):
            if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                raise ValueError(f"has no name for {key}[{position}]")
            if not isinstance(item.get(part) or {}, dict):
                raise ValueError(f"has a {part} of {key}[{position}] that is not a mapping")
    return config


def embedded_credentials(content: str) -> list[str]:
    """Return where a kubeconfig holds credentials itself, such as `users[0].user.token`.

    Paths of files and the commands of exec plugins are none, but for secrets in a plugin's environment.

    Raises:
        ValueError: it is no kubeconfig; the text is the reason, and quotes nothing of it.
    """
    return list(_embedded(parse(content)))


def _embedded(config: Mapping[str, Any]) -> Iterator[str]:
    for position, item in enumerate(config.get("users") or []):
        user, where = item.get("user") or {}, f"users[{position}].user"
        yield from (f"{where}.{key}" for key in _CREDENTIALS if user.get(key))
        provider = user.get("auth-provider")
        if isinstance(provider, dict) and provider.get("config"):
            yield f"{where}.auth-provider.config"
        plugin = user.get("exec")
        for number, variable in enumerate((plugin.get("env") if isinstance(plugin, dict) else None) or []):
            if isinstance(variable, dict) and _SECRET_NAME.search(str(variable.get("name"))):
                yield f"{where}.exec.env[{number}].value"
    for position, item in enumerate(config.get("clusters") or []):
        if re.match(r"[^/]*//[^/]*@", str((item.get("cluster") or {}).get("proxy-url") or "")):
            yield f"clusters[{position}].cluster.proxy-url"


def gke_kubeconfig(name: str, endpoint: str, authority: str | None) -> dict[str, Any]:
    """Return the kubeconfig of a GKE cluster; it holds no credentials, since the gcloud plugin brings them.

    The authority is the API server's CA, base64 of PEM; None where its certificate is one of the web's.
    """
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": GKE_PLUGIN,
        "installHint": f"gcloud components install {GKE_PLUGIN}",
        "interactiveMode": "Never",
        "provideClusterInfo": True,
    }
    trusted = {} if authority is None else {"certificate-authority-data": authority}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://{endpoint}", **trusted}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "users": [{"name": name, "user": {"exec": plugin}}],
    }
