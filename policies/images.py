"""References to charts and images, and which of them are cert-manager's own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from components.specs.cert_manager import CHART, VERSION, check_version
from policies.objects import get, items

REGISTRY, NAMESPACE = "quay.io", "jetstack"
"""Where cert-manager publishes its images and its chart."""

_COMPONENTS = ("controller", "webhook", "cainjector", "acmesolver", "startupapicheck")
_IMAGES = {f"{REGISTRY}/{NAMESPACE}/cert-manager-{component}" for component in _COMPONENTS}
_SOLVER_OPTION = "--acme-http01-solver-image="

_ARCHIVE = re.compile(r"(?P<name>.+?)(-(?P<version>v?\d+\.\d+\.\d+[^/]*))?\.tgz")


@dataclass(frozen=True)
class Reference:
    """`REPOSITORY[:TAG][@DIGEST]`, of an image or of a chart."""

    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """The last part of the repository."""
        return self.repository.rpartition("/")[2]


def reference(value: str) -> Reference:
    """Parse a reference. A chart archive's tag is the version in its file name."""
    rest, _, digest = value.partition("@")
    head, slash, last = rest.rstrip("/").rpartition("/")
    last, _, tag = last.partition(":")
    archive = _ARCHIVE.fullmatch(last.partition("?")[0])
    if archive:
        last, tag = archive["name"], archive["version"] or tag
    return Reference(f"{head}{slash}{last}", tag, digest)


def is_cert_managers_chart(chart: str) -> bool:
    """Tell whether a chart is cert-manager's by its name, wherever it comes from."""
    return reference(chart).name.lower() == reference(CHART).name


def version_problem(version: str) -> str | None:
    """Return why a version of cert-manager is refused, None if it is not."""
    try:
        check_version(version)
    except ValueError as error:
        return f"the version {version} {error}"
    return None


def image_problems(image: str, production: bool) -> Iterator[str]:
    """Yield why an image is refused for cert-manager."""
    parts = reference(image)
    if parts.repository not in _IMAGES:
        yield f"the image {parts.repository} is not from {REGISTRY}/{NAMESPACE}"
    if parts.tag and (problem := version_problem(parts.tag)):
        yield f"of the image {parts.name}, {problem}"
    if parts.digest and production:
        yield f"the image {parts.name} has a digest, which hides its version"
    if not parts.tag and not parts.digest:
        yield f"the image {parts.name} has no version"


def images_of_values(values: Any) -> Iterator[str]:
    """Yield the images that cert-manager's chart makes of its values, as its template composes them.

    https://github.com/cert-manager/cert-manager/blob/v1.21.2/deploy/charts/cert-manager/templates/_helpers.tpl
    """
    registry, namespace = get(values, "imageRegistry"), get(values, "imageNamespace")
    for component in _COMPONENTS:
        image = get(values, "image") if component == "controller" else get(values, component, "image")
        yield _image_of_values(component, image, registry or REGISTRY, namespace or NAMESPACE)
    yield from _solver_images(get(values, "extraArgs"))


def _image_of_values(component: str, image: Any, registry: str, namespace: str) -> str:
    name = get(image, "name") or f"cert-manager-{component}"
    repository = get(image, "repository") or f"{registry}/{namespace}/{name}"
    if get(image, "registry"):
        repository = f"{get(image, 'registry')}/{repository}"
    tag, digest = get(image, "tag"), get(image, "digest")
    # Without tag and digest the chart's own version applies, which the rule for versions judges.
    tagged = f":{tag}" if tag else "" if digest else f":{VERSION}"
    return f"{repository}{tagged}{f'@{digest}' if digest else ''}"


def images_of_pod(spec: Any) -> Iterator[str]:
    """Yield cert-manager's images in a Pod, by their names, and the solver images in its arguments."""
    for container in (*items(get(spec, "initContainers")), *items(get(spec, "containers"))):
        image = str(get(container, "image") or "")
        if f"{REGISTRY}/{NAMESPACE}/{reference(image).name}" in _IMAGES:
            yield image
        yield from _solver_images(get(container, "args"))


def _solver_images(options: Any) -> Iterator[str]:
    for option in items(options):
        if str(option).startswith(_SOLVER_OPTION):
            yield str(option).removeprefix(_SOLVER_OPTION)
