"""Kubeconfigs: told apart from paths of them, read without ever quoting them, and made for GKE without credentials."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

_LISTS = {"clusters": "cluster", "contexts": "context", "users": "user"}
"""What a kubeconfig lists, and the key of each item's own part."""

GKE_PLUGIN = "gke-gcloud-auth-plugin"
"""What brings the credentials for a GKE cluster."""

_NAME = r"[A-Za-z0-9_.:@/~+\\-]{1,253}"
"""A name, a path or a version."""

_ADDRESS = re.compile(r"([a-z0-9]+://)?[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9_./~-]*)?")
"""Of a server. User info and a query may be credentials."""

_OPTION = (
    r"--(client-id|cluster|cluster-id|cluster-name|context|environment|format|location|login|output|profile|project"
    r"|region|role|role-arn|server-id|tenant-id|version|zone)"
)
_ARGUMENTS = re.compile(rf"(({_OPTION}[ =]{_NAME}|[a-z]{{1,20}}(-[a-z]{{1,20}}){{0,2}})( |$))*")
"""Of the clouds' plugins: commands, and the options that choose a cluster and an account."""

_HARMLESS: Mapping[str, re.Pattern[str]] = {
    "clusters.cluster.proxy-url": _ADDRESS,
    "clusters.cluster.server": _ADDRESS,
    "users.user.exec.args": _ARGUMENTS,
    "users.user.exec.installHint": re.compile(r"[A-Za-z0-9 _.,:;/#()'-]{1,300}"),
} | dict.fromkeys(
    (
        "apiVersion", "kind", "current-context",
        "clusters.name", "clusters.cluster.certificate-authority", "clusters.cluster.disable-compression",
        "clusters.cluster.insecure-skip-tls-verify", "clusters.cluster.tls-server-name",
        "contexts.name", "contexts.context.cluster", "contexts.context.namespace", "contexts.context.user",
        "users.name", "users.user.as", "users.user.auth-provider.name", "users.user.client-certificate",
        "users.user.client-key", "users.user.tokenFile", "users.user.username",
        "users.user.exec.apiVersion", "users.user.exec.command", "users.user.exec.interactiveMode",
        "users.user.exec.provideClusterInfo",
    ),
    re.compile(_NAME),
)  # fmt: skip
"""What is no credential in a kubeconfig (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/)."""

_PARENTS = {field.rpartition(".")[0] for field in _HARMLESS}
"""The fields whose own fields are known."""

_CERTIFICATES = ("clusters.cluster.certificate-authority-data", "users.user.client-certificate-data")
_PEM = re.compile(rb"(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+")

_MARKS = {
    "clusters": ("cluster", {"server"}),
    "users": ("user", {"auth-provider", "client-certificate-data", "client-key-data", "exec", "password", "token"}),
}
"""Keys by which the clusters and the users of a kubeconfig are told from those of something else."""


def is_content(kubeconfig: str) -> bool:
    """Tell the content of a kubeconfig (YAML or JSON) from the path of one."""
    return bool(re.search(r"[{\r\n\x85\u2028\u2029]|:\s", kubeconfig.strip()))


def is_kubeconfig(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Tell whether a value is a kubeconfig that has a server or a user's credentials."""
    return isinstance(value, Mapping) and any(
        isinstance(item, Mapping) and isinstance(item.get(part), Mapping) and marks & set(item[part])
        for key, (part, marks) in _MARKS.items()
        if isinstance(value.get(key), list | tuple)
        for item in value[key]
    )


def parse(content: str) -> dict[str, Any]:
    """Return a kubeconfig's content.

    Raises:
        ValueError: it is none; the text is the reason, and quotes nothing of it.
    """
    # Loaded for content alone: most stacks name a GKE cluster or a path.
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
            if len({key.value for key, _ in node.value}) < len(node.value):
                # YAML forbids a key twice, and only the last value would be looked at.
                raise yaml.constructor.ConstructorError(problem_mark=node.start_mark)
            return super().construct_mapping(node, deep)

    try:
        config = Loader(content).get_single_data()
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
    """Return where a kubeconfig holds credentials itself, as `credentials_in` does.

    Raises:
        ValueError: it is no kubeconfig; the text is the reason, and quotes nothing of it.
    """
    comments = [number for number, line in enumerate(content.splitlines(), 1) if re.search(r"(^|\s)#", line)]
    return [*credentials_in(parse(content)), *(f"the comment in line {number}" for number in comments)]


def credentials_in(kubeconfig: Mapping[str, Any]) -> list[str]:
    """Return where a kubeconfig holds a credential, such as `users[0].user.token`.

    Everything that is not known to be none counts as one: what a plugin does with its environment or with an option
    is not known, nor are the fields of another program.
    """
    return list(_credentials(kubeconfig, "", ""))


def _credentials(value: Any, where: str, field: str) -> Iterator[str]:
    """Yield the places below a value; `field` is the value's own place, without positions in lists."""
    if isinstance(value, Mapping) and field in _PARENTS:
        for key, item in value.items():
            # Another key may be anything, and is not quoted.
            name = key if re.fullmatch(r"[A-Za-z-]{1,30}", str(key)) else "(another key)"
            below = f"{where}.{name}".lstrip("."), f"{field}.{str(key).replace('.', '/')}".lstrip(".")
            if key in _LISTS and not field and isinstance(item, list | tuple):
                for position, part in enumerate(item):
                    yield from _credentials(part, f"{key}[{position}]", key)
            else:
                yield from _credentials(item, *below)
    elif value not in (None, "", [], (), {}) and not _is_harmless(value, field):
        yield where


def _is_harmless(value: Any, field: str) -> bool:
    if field in _CERTIFICATES:
        try:
            return bool(_PEM.fullmatch(base64.b64decode(value, validate=True)))
        except (ValueError, TypeError):
            return False
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return field in _HARMLESS and bool(_HARMLESS[field].fullmatch(text))


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
