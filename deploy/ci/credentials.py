"""A kubeconfig with credentials in it does not belong in a state that others read.

The kubernetes provider keeps its kubeconfig in the state, encrypted with the stack's key. Whoever may preview the stack
may read both, and so would hold a credential that outlives the preview and is bound to no job.
"""

import json
import subprocess

SHARED = ("gs://", "s3://", "azblob://", "https://", "http://", "postgres://")
"""How the address of a state begins that more than one machine reads."""

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
    found = sorted({where for kubeconfig in _kubeconfigs(stack) for where in _embedded(kubeconfig)})
    if not found:
        return None
    return f"kubeconfig of stack {stack} holds credentials ({', '.join(found)}) in a state that others read\n    {_FIX}"


def _embedded(kubeconfig: str) -> list[str]:
    # Loaded here: the gate and the comment run on the runner's own Python, before there is an environment.
    from components.kube.kubeconfig import embedded_credentials, is_content

    try:
        return embedded_credentials(kubeconfig) if is_content(kubeconfig) else []
    except ValueError:
        # The settings say that it is no kubeconfig.
        return []


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
