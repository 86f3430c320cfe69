"""References to charts and images, and which of them are cert-manager's own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from components.specs.cert_manager import CHART, VERSION, check_version
from policies.objects import get, items

REGISTRY, NAMESPACE = "quay.io", "jetstack"
"""Where cert-manager publishes its images, and its chart."""

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


def reference(given: str) -> Reference:
    """Take a reference apart; the version in the name of a chart's archive is its tag."""
    rest, _, digest = given.partition("@")
    head, slash, last = rest.rstrip("/").rpartition("/")
    last, _, tag = last.partition(":")
    archive = _ARCHIVE.fullmatch(last.partition("?")[0])
    if archive:
        last, tag = archive["name"], archive["version"] or tag
    return Reference(f"{head}{slash}{last}", tag, digest)


def is_cert_managers_chart(given: str) -> bool:
    """Tell cert-manager's chart, wherever it is, from others."""
    return reference(given).name.lower() == reference(CHART).name


def version_problem(version: str) -> str | None:
    """Say why a version of cert-manager is refused."""
    try:
        check_version(version)
    except ValueError as reason:
        return f"the version {version} {reason}"
    return None


def image_problems(image: str, production: bool) -> Iterator[str]:
    """Say what is wrong with an image that cert-manager is to run from."""
    parts = reference(image)
    if parts.repository not in _IMAGES:
        yield f"the image {parts.repository} is not from {REGISTRY}/{NAMESPACE}"
    if parts.tag and (problem := version_problem(parts.tag)):
        yield f"of the image {parts.name}, {problem}"
    if parts.digest and production:
        yield f"the image {parts.name} is given by digest, which does not tell its version"
    if not parts.tag and not parts.digest:
        yield f"the image {parts.name} has no version"


def images_of_values(values: Any) -> Iterator[str]:
    """Yield the images that cert-manager's chart makes of its values, as its template composes them.

    https://github.com/cert-manager/cert-manager/blob/v1.21.2/deploy/charts/cert-manager/templates/_helpers.tpl
    """
    registry, namespace = get(values, "imageRegistry"), get(values, "imageNamespace")
    for component in _COMPONENTS:
        image = get(values, "image") if component == "controller" else get(values, component, "image")
        yield _composed(component, image, registry or REGISTRY, namespace or NAMESPACE)
    for option in items(get(values, "extraArgs")):
        if str(option).startswith(_SOLVER_OPTION):
            yield str(option).removeprefix(_SOLVER_OPTION)


def _composed(component: str, image: Any, registry: str, namespace: str) -> str:
    name = get(image, "name") or f"cert-manager-{component}"
    repository = get(image, "repository") or f"{registry}/{namespace}/{name}"
    if get(image, "registry"):
        repository = f"{get(image, 'registry')}/{repository}"
    tag, digest = get(image, "tag"), get(image, "digest")
    # Without either it is the chart's own version, which is judged as that of the chart.
    tagged = f":{tag}" if tag else "" if digest else f":{VERSION}"
    return f"{repository}{tagged}{f'@{digest}' if digest else ''}"


def images_of_pod(spec: Any) -> Iterator[str]:
    """Yield the images of cert-manager in a Pod, by their names, and those that its controller is told to use."""
    for container in (*items(get(spec, "initContainers")), *items(get(spec, "containers"))):
        image = str(get(container, "image") or "")
        if f"{REGISTRY}/{NAMESPACE}/{reference(image).name}" in _IMAGES:
            yield image
        for option in items(get(container, "args")):
            if str(option).startswith(_SOLVER_OPTION):
                yield str(option).removeprefix(_SOLVER_OPTION)
