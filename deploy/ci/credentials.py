"""Refuses a config with the credentials of a provider in a shared state.

A provider keeps its inputs in the state, encrypted with the stack's key. Every identity that previews the stack can
read both, and so would get a credential that outlives the preview and is not bound to a job.
"""

import json
import subprocess

SHARED = ("gs://", "s3://", "azblob://", "https://", "http://", "postgres://")
"""Prefixes of the addresses of states that more than one machine reads."""

_FIX = (
    "pulumi config rm kubeconfig; then pulumi config set --path gke.cluster NAME and gke.location LOCATION,"
    " or set a kubeconfig whose users have an `exec` plugin, without `env` and with options that hold no credential"
)
_GOOGLE = {
    "gcp:accessToken": "pulumi config rm gcp:accessToken",
    "gcp:credentials": "pulumi config rm gcp:credentials",
}
"""What makes the gcp provider not use the identity of the job, and the fix."""


def problem(stack: str, backend: str) -> str | None:
    """Return the problem with the credentials in a stack's config and its fix, None if there is none.

    Raises:
        subprocess.SubprocessError: Pulumi cannot read the config.
    """
    if not backend.startswith(SHARED):
        return None
    config = _config(stack)
    for key, fix in _GOOGLE.items():
        if config.get(key):
            return f"{key} of stack {stack} would be in a state that others read\n    {fix}"
    kubeconfigs = (value for key, value in config.items() if key.endswith(":kubeconfig"))
    paths = sorted({path for kubeconfig in kubeconfigs for path in _embedded(kubeconfig)})
    if not paths:
        return None
    return f"kubeconfig of stack {stack} holds credentials ({', '.join(paths)}) in a state that others read\n    {_FIX}"


def _embedded(kubeconfig: str) -> list[str]:
    # Imported here because the gate and the comment run on the runner's Python, which has no packages.
    from components.kube.kubeconfig import embedded_credentials, is_content

    try:
        return embedded_credentials(kubeconfig) if is_content(kubeconfig) else []
    except ValueError as error:
        return [f"or could, since it {error}"]


def _config(stack: str) -> dict[str, str]:
    # Captured, because Pulumi prints secrets decrypted.
    done = subprocess.run(
        ["pulumi", "config", "--show-secrets", "--json", "--stack", stack, "--non-interactive"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        raise subprocess.SubprocessError(f"the config of stack {stack} cannot be read: {done.stderr.strip()}")
    return {key: str(entry.get("value") or "") for key, entry in json.loads(done.stdout or "{}").items()}
