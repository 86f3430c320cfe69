"""The version of cert-manager that a stack installs."""

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs
from pydantic import ValidationError

from components.versions import CERT_MANAGER_VERSION
from policies.findings import is_kind, resource_policy
from settings.models import CertManager


def insecure_versions(release: ResourceValidationArgs) -> Iterator[str]:
    """Yield why a release's version is refused: the settings keep the list of advisories.

    It is the version that would be installed: the provider has read it from the chart before policies are asked.
    """
    chart = release.props.get("chart") if is_kind(release, "helm.sh", "Release") else None
    if str(chart).rpartition("/")[2] != "cert-manager":
        return
    version = release.props.get("version")
    if not version:
        yield "The chart has no version: what is installed is whatever is newest on that day."
        return
    try:
        CertManager(version=f"v{version.removeprefix('v')}")
    except ValidationError as refused:
        yield f"{version} {refused.errors()[0]['msg'].removeprefix('Value error, ')}."


VERSION = resource_policy(
    "cert-manager-is-secure",
    "cert-manager is installed at a version without known advisories.",
    f"pulumi config set --path certManager.version {CERT_MANAGER_VERSION}",
    insecure_versions,
)
