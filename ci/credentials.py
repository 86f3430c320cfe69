"""A kubeconfig with credentials in it does not belong in a state that others read.

The kubernetes provider keeps its kubeconfig in the state, encrypted with the stack's key. Whoever may preview the stack
may read both, and so would hold a credential that outlives the preview and is bound to no job.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

SHARED = ("gs://", "s3://", "azblob://", "https://", "http://", "postgres://")
"""How the address of a state begins that more than one machine reads."""

_OF_USER = ("token", "password", "client-key-data")
"""Credentials of a user in a kubeconfig. The others there are paths of files, public certificates or commands."""

_FIX = (
    "pulumi config rm kubeconfig; then pulumi config set --path gke.cluster NAME and gke.location LOCATION,"
    " or set a kubeconfig whose users have an `exec` plugin"
)


def problem(stack: str, backend: str) -> str | None:
    """Return what is wrong with the stack's kubeconfig, and the fix; None where nothing is.

    Args:
        stack: its name.
        backend: where its state is, as `pulumi login` takes it.

    Raises:
        subprocess.SubprocessError: pulumi cannot read the config.
    """
    if not backend.startswith(SHARED):
        return None
    found = sorted({kind for kubeconfig in _kubeconfigs(stack) for kind in embedded(kubeconfig)})
    if not found:
        return None
    return f"kubeconfig of stack {stack} holds credentials ({', '.join(found)}) in a state that others read\n    {_FIX}"


def embedded(kubeconfig: str) -> Iterator[str]:
    """Yield the kinds of credentials in a kubeconfig, such as `token`; never their values.

    Args:
        kubeconfig: the content, or the path of a file, which holds nothing.
    """
    # Kept out of the gate and the comment, which have no environment.
    import yaml

    try:
        parsed = yaml.safe_load(kubeconfig)
    except yaml.YAMLError:
        # An error of the parser quotes the line. The settings say that it is no kubeconfig.
        return
    for entry in _list(_mapping(parsed).get("users")):
        user = _mapping(_mapping(entry).get("user"))
        yield from (key for key in _OF_USER if user.get(key))
        provider = _mapping(_mapping(user.get("auth-provider")).get("config"))
        yield from (f"auth-provider {key}" for key, value in provider.items() if value and _is_secret(str(key)))
        for variable in _list(_mapping(user.get("exec")).get("env")):
            name = str(_mapping(variable).get("name"))
            if _is_secret(name) and _mapping(variable).get("value"):
                yield f"exec {name}"


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in ("token", "secret", "password", "key"))


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _kubeconfigs(stack: str) -> list[str]:
    # Captured, since it is printed decrypted.
    done = subprocess.run(
        ["pulumi", "config", "--show-secrets", "--json", "--stack", stack, "--non-interactive"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        raise subprocess.SubprocessError(f"the config of stack {stack} cannot be read: {done.stderr.strip()}")
    config = json.loads(done.stdout or "{}")
    values = [entry.get("value") for key, entry in config.items() if key.endswith(":kubeconfig")]
    return [value for value in values if isinstance(value, str)]
