"""cert-manager: its source and its version, however it is installed, and its protection from deletion."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from components.problem import Problem
from components.specs.cert_manager import CHART, check_version
from components.specs.cert_manager import VERSION as PINNED
from policies.certificates import CERT_MANAGER
from policies.findings import Finding, Rule, guarded
from policies.issuers import ISSUERS
from policies.objects import KubernetesObject, Stack, get, items, matching, objects
from policies.stack_config import in_production

_REGISTRY, _NAMESPACE = "quay.io", "jetstack"
"""Where cert-manager publishes its images and its chart."""

_COMPONENTS = ("controller", "webhook", "cainjector", "acmesolver", "startupapicheck")
_IMAGES = {f"{_REGISTRY}/{_NAMESPACE}/cert-manager-{component}" for component in _COMPONENTS}
_SOLVER_OPTION = "--acme-http01-solver-image="

_ARCHIVE = re.compile(r"(?P<name>.+?)(-(?P<version>v?\d+\.\d+\.\d+[^/]*))?\.tgz")

_POD_SPECS = (("spec",), ("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec"))
"""The paths of the Pod spec: in a Pod, in a workload of any kind, and in a CronJob."""


@dataclass(frozen=True)
class _Reference:
    """`REPOSITORY[:TAG][@DIGEST]`, of an image or of a chart."""

    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        return self.repository.rpartition("/")[2]


def _reference(value: str) -> _Reference:
    """Parse a reference. A chart archive's tag is the version in its file name."""
    rest, _, digest = value.partition("@")
    head, slash, last = rest.rstrip("/").rpartition("/")
    last, _, tag = last.partition(":")
    archive = _ARCHIVE.fullmatch(last.partition("?")[0])
    if archive:
        last, tag = archive["name"], archive["version"] or tag
    return _Reference(f"{head}{slash}{last}", tag, digest)


def _version_problem(version: str) -> str | None:
    try:
        check_version(version)
    except ValueError as error:
        return f"the version {version} {error}"
    return None


def _image_problems(image: str) -> Iterator[str]:
    parts = _reference(image)
    if parts.repository not in _IMAGES:
        yield f"the image {parts.repository} is not from {_REGISTRY}/{_NAMESPACE}"
    if parts.tag and (problem := _version_problem(parts.tag)):
        yield f"of the image {parts.name}, {problem}"
    if parts.digest and in_production():
        yield f"the image {parts.name} has a digest, which hides its version"
    if not parts.tag and not parts.digest:
        yield f"the image {parts.name} has no version"


def _images_of_values(values: Any) -> Iterator[str]:
    """Yield the images that cert-manager's chart makes of its values, as its template composes them.

    https://github.com/cert-manager/cert-manager/blob/v1.21.2/deploy/charts/cert-manager/templates/_helpers.tpl
    """
    registry, namespace = get(values, "imageRegistry"), get(values, "imageNamespace")
    for component in _COMPONENTS:
        image = get(values, "image") if component == "controller" else get(values, component, "image")
        yield _image_of_values(component, image, registry or _REGISTRY, namespace or _NAMESPACE)
    yield from _solver_images(get(values, "extraArgs"))


def _image_of_values(component: str, image: Any, registry: str, namespace: str) -> str:
    name = get(image, "name") or f"cert-manager-{component}"
    repository = get(image, "repository") or f"{registry}/{namespace}/{name}"
    if get(image, "registry"):
        repository = f"{get(image, 'registry')}/{repository}"
    tag, digest = get(image, "tag"), get(image, "digest")
    # Without tag and digest the chart's own version applies, which the rule for versions judges.
    tagged = f":{tag}" if tag else "" if digest else f":{PINNED}"
    return f"{repository}{tagged}{f'@{digest}' if digest else ''}"


def _images_of_pod(spec: Any) -> Iterator[str]:
    """Yield cert-manager's images in a Pod, by their names, and the solver images in its arguments."""
    for container in (*items(get(spec, "initContainers")), *items(get(spec, "containers"))):
        image = str(get(container, "image") or "")
        if f"{_REGISTRY}/{_NAMESPACE}/{_reference(image).name}" in _IMAGES:
            yield image
        yield from _solver_images(get(container, "args"))


def _solver_images(options: Any) -> list[str]:
    options = map(str, items(options))
    return [option.removeprefix(_SOLVER_OPTION) for option in options if option.startswith(_SOLVER_OPTION)]


def _installs(obj: KubernetesObject) -> bool:
    """Tell whether an object is a Helm release or chart of cert-manager, by its chart's name or by its own."""
    if obj.group != "helm.sh" or obj.kind not in ("Release", "Chart"):
        return False
    chart = _reference(str(obj.get("chart") or ""))
    return chart.name.lower() == _reference(CHART).name or obj.get("name") == "cert-manager"


def _insecure_version(obj: KubernetesObject, _stack: Stack) -> Iterator[Problem]:
    # The provider reads the version from the chart before policies run.
    if not _installs(obj):
        return
    version, tag = obj.get("version"), _reference(str(obj.get("chart"))).tag
    if not version and not tag:
        yield Problem(obj.where, "the chart has no version: each update would install the newest one")
    problems = [_version_problem(str(value)) for value in (version, tag) if value]
    for problem in list(filter(None, problems))[:1]:
        yield Problem(obj.where, problem)


def _foreign_source(obj: KubernetesObject, _stack: Stack) -> Iterator[Finding]:
    if _installs(obj):
        yield from guarded(obj.where, _foreign_chart(obj))
        images = _images_of_values(obj.get("values"))
    else:
        images = chain.from_iterable(_images_of_pod(obj.get(*path)) for path in _POD_SPECS)
    for image in images:
        for problem in _image_problems(image):
            yield Problem(obj.where, problem)


def _foreign_chart(obj: KubernetesObject) -> Iterator[Problem]:
    chart, repository = str(obj.get("chart") or ""), obj.get("repositoryOpts", "repo")
    is_local = "://" not in chart
    if repository:
        yield Problem(obj.where, f"the chart {chart} comes from {repository}, and not from {CHART}")
    elif _reference(chart).repository != CHART and (in_production() or not is_local):
        yield Problem(obj.where, f"the chart is {chart}, and not {CHART}")
    if obj.get("postrender") or obj.get("postRenderer"):
        yield Problem(obj.where, "has a post-renderer, which may change what the chart installs")


def _unprotected(obj: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    if not in_production() or obj.resource.opts.protect or obj.patch:
        return
    if obj.is_a("core", "Namespace"):
        needed = bool(matching(stack.objects, lambda other: _installs(other) and other.get("namespace") == obj.name))
    elif obj.is_a("apiextensions.k8s.io", "CustomResourceDefinition"):
        needed = obj.name.endswith(CERT_MANAGER)
    else:
        needed = _installs(obj) or obj.is_a(*ISSUERS)
    if needed:
        yield Problem(obj.where, "is not protected")


VERSION = Rule(
    name="cert-manager-is-secure",
    description="cert-manager is installed at one version, which has no known advisory or fault.",
    fix=(f"pulumi config set --path certManager.version {PINNED}",),
    cannot_see="a chart and a release that both have other names; a chart within a chart",
    subjects=objects,
    find=_insecure_version,
    needs_stack=False,
)

SOURCE = Rule(
    name="cert-manager-is-official",
    description="cert-manager is installed from its official chart and images, without a post-renderer. Outside"
    " production the chart may also be one of this machine, and an image may have a digest.",
    fix=(
        "pulumi config rm --path certManager.chart     # the default is the official one",
        "pulumi config rm --path certManager.values    # images are the chart's own, at its version",
    ),
    cannot_see="the contents of a local chart or of a digest; images with other names",
    subjects=objects,
    find=_foreign_source,
    needs_stack=False,
)

PROTECT = Rule(
    name="protected-in-production",
    description="In a production stack, cert-manager, its namespace, its CRDs and the issuers are protected from"
    " deletion.",
    fix=("pulumi config set protect true",),
    cannot_see="deletion by other programs than Pulumi",
    subjects=objects,
    find=_unprotected,
)
