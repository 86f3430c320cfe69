"""cert-manager: its source and its version, however it is installed, and its protection from deletion."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from posixpath import normpath
from typing import Any

from components.problem import Problem
from components.specs.cert_manager import CHART, GROUP, check_version
from components.specs.cert_manager import VERSION as PINNED
from policies.findings import Finding, Rule, guarded
from policies.issuers import ISSUERS
from policies.objects import KubernetesObject, Stack, get, items, matching, objects, texts
from policies.stack_config import in_production

_REGISTRY, _NAMESPACE = "quay.io", "jetstack"
"""Where cert-manager publishes its images and its chart."""

_COMPONENTS = ("controller", "webhook", "cainjector", "acmesolver", "startupapicheck")
_IMAGES = {f"{_REGISTRY}/{_NAMESPACE}/cert-manager-{component}" for component in _COMPONENTS}

_SOLVER_OPTION = re.compile(r"--acme-http01-solver-image[=\s]+(\S+)")
_SOLVER_FIELD = re.compile(r"""solverImage["']?\s*:\s*["']?([^"'\s,}]+)""")
_CONTROLLER_CONFIG = "controller.config.cert-manager.io"
"""API group of the controller's file of flags."""

_ARCHIVE = ".tgz"
_ARCHIVE_VERSION = re.compile(r"-(v?\d+\.\d+\.\d+.*)")

_POST_RENDERER = "a post-renderer, which may change what the chart installs"
_UNSEEN = {
    "postrender": _POST_RENDERER,
    "postRenderer": _POST_RENDERER,
    "reuseValues": "reuseValues: no policy sees the values of the release before",
    "valueYamlFiles": "valueYamlFiles: no policy sees the values in them",
    "plainHttp": "plainHttp: anyone on the way can change the chart",
}
"""Properties of a release or chart that hide what it installs."""

_EXTRA_OBJECTS = "extraObjects"

_TRUST_VARIABLES = {"SSL_CERT_DIR", "SSL_CERT_FILE"}
_OWN_FOLDERS = re.compile(r"/|/etc|/(app|etc/ssl|etc/pki)(/.*)?")
"""Of the program in its images, and where Go looks for CAs (https://pkg.go.dev/crypto/x509#SystemCertPool)."""

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
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
    archive = last.partition("?")[0]
    if archive.endswith(_ARCHIVE):
        last = archive.removesuffix(_ARCHIVE)
        if version := _ARCHIVE_VERSION.search(last):
            last, tag = last[: version.start()], version[1]
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
    # An empty one is left out of the name, which is then one of Docker Hub.
    prefixes = [_REGISTRY if registry is None else registry, _NAMESPACE if namespace is None else namespace]
    for component in _COMPONENTS:
        image = get(values, "image") if component == "controller" else get(values, component, "image")
        yield _image_of_values(component, image, "".join(f"{prefix}/" for prefix in prefixes if prefix))
    yield from _solver_images(get(values, "extraArgs"))
    if solver := get(values, "config", "acmeHTTP01Config", "solverImage"):
        yield str(solver)


def _image_of_values(component: str, image: Any, prefix: str) -> str:
    name = get(image, "name") or f"cert-manager-{component}"
    repository = get(image, "repository") or f"{prefix}{name}"
    if get(image, "registry"):
        repository = f"{get(image, 'registry')}/{repository}"
    tag, digest = get(image, "tag"), get(image, "digest")
    # Without tag and digest the chart's own version applies, which the rule for versions judges.
    tagged = f":{tag}" if tag else "" if digest else f":{PINNED}"
    return f"{repository}{tagged}{f'@{digest}' if digest else ''}"


def _pod_problems(spec: Any) -> Iterator[str]:
    """Judge cert-manager's containers in a Pod, by the names of their images, and the solver images in arguments."""
    for container in chain.from_iterable(items(get(spec, key)) for key in _CONTAINERS):
        image = str(get(container, "image") or "")
        if f"{_REGISTRY}/{_NAMESPACE}/{_reference(image).name}" in _IMAGES:
            yield from _image_problems(image)
            yield from _trust_problems(get(container, "env"), get(container, "volumeMounts"))
        for solver in _solver_images([*items(get(container, "command")), *items(get(container, "args"))]):
            yield from _image_problems(solver)


def _solver_images(options: Any) -> list[str]:
    """Return the images that options name, also those in the words of a shell."""
    return [image.strip("\"'") for image in _SOLVER_OPTION.findall(" ".join(map(str, items(options))))]


def _values_problems(values: Any) -> Iterator[str]:
    yield from chain.from_iterable(map(_image_problems, _images_of_values(values)))
    if get(values, "extraContainers"):
        yield "has extraContainers in its values, which no policy judges"
    if any("{{" in str(text) for text in items(get(values, _EXTRA_OBJECTS))):
        yield f"has a template in {_EXTRA_OBJECTS}, which no policy judges"
    others = [get(values, key) for key in values or () if key != _EXTRA_OBJECTS]
    if any(len(text.splitlines()) > 1 for text in texts(others)):
        yield "has a value of several lines, which the chart may copy into its manifests as it is"
    yield from _trust_problems(get(values, "extraEnv"), get(values, "volumeMounts"))


def _trust_problems(variables: Any, mounts: Any) -> Iterator[str]:
    """Judge whether another server may pass for the CA's. A `caBundle` of the issuer says so in the open."""
    if not in_production():
        return
    for name in (str(get(variable, "name")) for variable in items(variables)):
        if name in _TRUST_VARIABLES:
            yield f"has the variable {name}, which changes the CAs that cert-manager trusts"
    for path in (str(get(mount, "mountPath")) for mount in items(mounts)):
        if _OWN_FOLDERS.fullmatch(normpath(f"/{path.lstrip('/')}")):
            yield f"has a volume at {path}, over cert-manager's program or the CAs that it trusts"


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
        for problems in (_chart_problems(obj), _values_problems(obj.get("values"))):
            yield from guarded(obj.where, (Problem(obj.where, problem) for problem in problems))
    elif obj.group == "core" and obj.kind == "ConfigMap":
        for image in _images_of_config(obj):
            yield from (Problem(obj.where, problem) for problem in _image_problems(image))
    else:
        for path in _POD_SPECS:
            yield from (Problem(obj.where, problem) for problem in _pod_problems(obj.get(*path)))


def _images_of_config(config_map: KubernetesObject) -> Iterator[str]:
    """Yield the solver images in the controller's files of flags."""
    for text in texts(config_map.props):
        if _CONTROLLER_CONFIG in text:
            yield from _SOLVER_FIELD.findall(text)


def _chart_problems(obj: KubernetesObject) -> Iterator[str]:
    chart, options = str(obj.get("chart") or ""), obj.get("repositoryOpts")
    is_local = "://" not in chart
    if repository := get(options, "repo"):
        yield f"the chart {chart} comes from {repository}, and not from {CHART}"
    elif _reference(chart).repository != CHART and (in_production() or not is_local):
        yield f"the chart is {chart}, and not {CHART}"
    elif options and any(get(options, key) for key in options):
        yield f"has repositoryOpts, which {CHART} does not need"
    for key, what in _UNSEEN.items():
        if obj.get(key):
            yield f"has {what}"


def _unprotected(obj: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    if not in_production() or obj.resource.opts.protect or obj.patch:
        return
    if obj.is_a("core", "Namespace"):
        needed = bool(matching(stack.objects, lambda other: _installs(other) and other.get("namespace") == obj.name))
    elif obj.is_a("apiextensions.k8s.io", "CustomResourceDefinition"):
        needed = obj.name.endswith(GROUP)
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
    description="cert-manager is installed from its official chart and images, by values that a policy sees. Outside"
    " production the chart may also be one of this machine, and an image may have a digest.",
    fix=(
        "pulumi config rm --path certManager.chart     # the default is the official one",
        "pulumi config rm --path certManager.values    # images are the chart's own, at its version",
    ),
    cannot_see="the contents of a local chart or of a digest; images with other names; releases of other providers;"
    " proxies, hostAliases and DNS settings, which lead to no other server while TLS is verified",
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
