"""cert-manager: where it comes from, and which version it is, however it is installed."""

from collections.abc import Iterable, Iterator

from components.problem import Problem
from components.specs.cert_manager import CHART
from components.specs.cert_manager import VERSION as PINNED
from policies.findings import Finding, ResourceRule, guarded
from policies.images import (
    image_problems,
    images_of_pod,
    images_of_values,
    is_cert_managers_chart,
    reference,
    version_problem,
)
from policies.objects import KubernetesObject, Resource, get, objects
from policies.stack_config import in_production

_CHARTS = ("Release", "Chart")
_NAME = "cert-manager"

_PODS: dict[tuple[str, str], tuple[str, ...]] = {
    ("core", "Pod"): ("spec",),
    ("core", "ReplicationController"): ("spec", "template", "spec"),
    ("apps", "Deployment"): ("spec", "template", "spec"),
    ("apps", "ReplicaSet"): ("spec", "template", "spec"),
    ("apps", "StatefulSet"): ("spec", "template", "spec"),
    ("apps", "DaemonSet"): ("spec", "template", "spec"),
    ("batch", "Job"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Where an object keeps the spec of its Pods."""


def installs(each: KubernetesObject) -> bool:
    """Tell a Helm release, or a chart without one, that is cert-manager's by its chart or by its name."""
    if each.group != "helm.sh" or each.kind not in _CHARTS:
        return False
    return is_cert_managers_chart(str(each.get("chart") or "")) or each.get("name") == _NAME


def insecure_versions(resource: Resource) -> Iterator[Finding]:
    """Yield why the version of a release is refused.

    It is the version that would be installed: the provider has read it from the chart before policies are asked.
    """
    for each in objects(resource):
        yield from guarded(each.where, _insecure_version(each))


def _insecure_version(each: KubernetesObject) -> Iterator[Problem]:
    if not installs(each):
        return
    version, tag = each.get("version"), reference(str(each.get("chart"))).tag
    if not version and not tag:
        yield Problem(_where(each), "the chart has no version: what is installed is whatever is newest on that day")
    for given in filter(None, (version, tag)):
        problem = version_problem(str(given))
        if problem:
            yield Problem(_where(each), problem)
            return


def foreign_sources(resource: Resource) -> Iterator[Finding]:
    """Yield the charts and images of cert-manager that are not its own, or are of a version that is refused."""
    for each in objects(resource):
        yield from guarded(each.where, _foreign_source(each))


def _foreign_source(each: KubernetesObject) -> Iterator[Finding]:
    if installs(each):
        yield from guarded(each.where, _chart_source(each))
        yield from guarded(each.where, _images(each, images_of_values(each.get("values"))))
    elif (each.group, each.kind) in _PODS:
        yield from _images(each, images_of_pod(get(each.props, *_PODS[each.group, each.kind])))


def _chart_source(each: KubernetesObject) -> Iterator[Problem]:
    chart, repository = str(each.get("chart") or ""), each.get("repositoryOpts", "repo")
    if repository:
        yield Problem(_where(each), f"the chart {chart} comes from {repository}, and not from {CHART}")
    elif reference(chart).repository != CHART and (in_production() or not _is_local(chart)):
        yield Problem(_where(each), f"the chart is {chart}, and not {CHART}")
    if each.get("postrender") or each.get("postRenderer"):
        yield Problem(_where(each), "has a post-renderer, which may change what the chart installs")


def _is_local(chart: str) -> bool:
    """Tell a folder or an archive on this machine from what is downloaded."""
    return "://" not in chart


def _images(each: KubernetesObject, images: Iterable[str]) -> Iterator[Problem]:
    for image in images:
        for problem in image_problems(image, in_production()):
            yield Problem(_where(each), problem)


def _where(each: KubernetesObject) -> str:
    return f"{each.kind} {each.get('name')}" if each.group == "helm.sh" and each.get("name") else each.where


VERSION = ResourceRule(
    name="cert-manager-is-secure",
    description="cert-manager is installed at a version without known advisories.",
    fix=(f"pulumi config set --path certManager.version {PINNED}",),
    stops="a Helm release or chart of cert-manager without a version, with a range, or with one that has an advisory or"
    " a known fault; also in the tag of its reference",
    cannot_see="a chart that is called otherwise, in a release that is called otherwise; a chart within a chart",
    find=insecure_versions,
)

SOURCE = ResourceRule(
    name="cert-manager-is-official",
    description="cert-manager is installed from its official chart and images.",
    fix=(
        "pulumi config rm --path certManager.chart     # the default is the official one",
        "pulumi config rm --path certManager.values    # images are the chart's own, at its version",
    ),
    stops="any chart but the official one, by version or digest (outside production also a folder or a `.tgz` of this"
    " machine); images from elsewhere or of a refused version in the values, in `extraArgs` and in the Pods of any"
    " workload; in production also images by digest; post-renderers",
    cannot_see="what is in a local chart, or at a digest; images under other names",
    find=foreign_sources,
)
