"""The version of cert-manager that a stack installs."""

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from components.rules.cert_manager import VERSION as PINNED
from components.rules.cert_manager import check_version
from policies.findings import is_kind, resource_policy


def insecure_versions(release: ResourceValidationArgs) -> Iterator[str]:
    """Yield why a release's version is refused.

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
        check_version(version)
    except ValueError as reason:
        yield f"{version} {reason}."


VERSION = resource_policy(
    "cert-manager-is-secure",
    "cert-manager is installed at a version without known advisories.",
    f"pulumi config set --path certManager.version {PINNED}",
    insecure_versions,
)
