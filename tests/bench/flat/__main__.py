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
"""Of the types that the SDKs have classes for; the others are objects of Kubernetes."""


def snake_case(name: str) -> str:
    """Return what Python calls an input."""
    return re.sub(r"(?<!^)([A-Z])", lambda found: f"_{found[0].lower()}", name)


resources = json.loads(Path(os.environ["FLAT_RESOURCES"]).read_text())
provider = next(each for each in resources if each["type"] == "pulumi:providers:kubernetes")
cluster = kubernetes.Provider(
    provider["name"], **{snake_case(name): value for name, value in provider["inputs"].items()}
)
for each in resources:
    if each is not provider:
        made_by = CLASSES.get(each["type"], kubernetes.apiextensions.CustomResource)
        options = pulumi.ResourceOptions(provider=cluster if each["type"].startswith("kubernetes:") else None)
        made_by(each["name"], **{snake_case(name): value for name, value in each["inputs"].items()}, opts=options)
