"""cert-manager: its source and its version, however it is installed."""

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
from policies.objects import KubernetesObject, get, objects
from policies.stack_config import in_production

_NAME = "cert-manager"

_TEMPLATE = ("spec", "template", "spec")
_POD_SPECS: dict[tuple[str, str], tuple[str, ...]] = {
    ("core", "Pod"): ("spec",),
    ("core", "ReplicationController"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", *_TEMPLATE),
}
"""The path of the Pod spec in each kind of workload."""


def installs(obj: KubernetesObject) -> bool:
    """Tell whether an object is a Helm release or chart of cert-manager, by its chart or by its name.

    Raises:
        UnknownValueError: The preview does not know them.
    """
    if obj.group != "helm.sh" or obj.kind not in ("Release", "Chart"):
        return False
    return is_cert_managers_chart(str(obj.get("chart") or "")) or obj.get("name") == _NAME


def _insecure_version(obj: KubernetesObject) -> Iterator[Problem]:
    # The provider reads the version from the chart before policies run.
    if not installs(obj):
        return
    version, tag = obj.get("version"), reference(str(obj.get("chart"))).tag
    if not version and not tag:
        yield Problem(_label(obj), "the chart has no version: each update would install the newest one")
    problem = next(filter(None, (version_problem(str(value)) for value in (version, tag) if value)), None)
    if problem:
        yield Problem(_label(obj), problem)


def _foreign_source(obj: KubernetesObject) -> Iterator[Finding]:
    if installs(obj):
        yield from guarded(obj.where, _foreign_chart(obj))
        yield from _foreign_images(obj, images_of_values(obj.get("values")))
    elif (obj.group, obj.kind) in _POD_SPECS:
        yield from _foreign_images(obj, images_of_pod(get(obj.props, *_POD_SPECS[obj.group, obj.kind])))


def _foreign_chart(obj: KubernetesObject) -> Iterator[Problem]:
    chart, repository = str(obj.get("chart") or ""), obj.get("repositoryOpts", "repo")
    is_local = "://" not in chart
    if repository:
        yield Problem(_label(obj), f"the chart {chart} comes from {repository}, and not from {CHART}")
    elif reference(chart).repository != CHART and (in_production() or not is_local):
        yield Problem(_label(obj), f"the chart is {chart}, and not {CHART}")
    if obj.get("postrender") or obj.get("postRenderer"):
        yield Problem(_label(obj), "has a post-renderer, which may change what the chart installs")


def _foreign_images(obj: KubernetesObject, images: Iterable[str]) -> Iterator[Problem]:
    for image in images:
        for problem in image_problems(image, in_production()):
            yield Problem(_label(obj), problem)


def _label(obj: KubernetesObject) -> str:
    return f"{obj.kind} {obj.get('name')}" if obj.group == "helm.sh" and obj.get("name") else obj.where


VERSION = ResourceRule(
    name="cert-manager-is-secure",
    description="cert-manager is installed at a version without known advisories.",
    fix=(f"pulumi config set --path certManager.version {PINNED}",),
    stops="a Helm release or chart of cert-manager without a version, with a range, or with a version that has an"
    " advisory or a known fault; also in the tag of its reference",
    cannot_see="a chart and a release that both have other names; a chart within a chart",
    subjects=objects,
    find=_insecure_version,
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
    cannot_see="the contents of a local chart or of a digest; images with other names",
    subjects=objects,
    find=_foreign_source,
)
