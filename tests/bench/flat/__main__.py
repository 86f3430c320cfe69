"""The floor: registers the resources that a file lists, on the same two providers, without components or settings.

It loads the same two SDKs and uses the same classes of theirs as the program does. `tests.bench.flat_stack` writes
the file.
"""

import json
import os
import re
from pathlib import Path

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

CLASSES = {
    "kubernetes:core/v1:Namespace": kubernetes.core.v1.Namespace,
    "kubernetes:helm.sh/v3:Release": kubernetes.helm.v3.Release,
    "gcp:dns/recordSet:RecordSet": gcp.dns.RecordSet,
}
"""The SDKs' classes by type; other types are objects of Kubernetes."""


def snake_case(name: str) -> str:
    """Return the Python name of an input."""
    return re.sub(r"(?<!^)([A-Z])", lambda letter: f"_{letter[0].lower()}", name)


resources = json.loads(Path(os.environ["FLAT_RESOURCES"]).read_text())
provider = next(resource for resource in resources if resource["type"] == "pulumi:providers:kubernetes")
cluster = kubernetes.Provider(
    provider["name"], **{snake_case(name): value for name, value in provider["inputs"].items()}
)
for resource in resources:
    if resource is not provider:
        made_by = CLASSES.get(resource["type"], kubernetes.apiextensions.CustomResource)
        options = pulumi.ResourceOptions(provider=cluster if resource["type"].startswith("kubernetes:") else None)
        made_by(
            resource["name"], **{snake_case(name): value for name, value in resource["inputs"].items()}, opts=options
        )
