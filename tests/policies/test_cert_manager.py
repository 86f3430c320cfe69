"""cert-manager: its version, its chart and its images, however it is installed; and its protection."""

from typing import Any

import pytest
from pulumi_policy import PolicyResource

from components.specs.cert_manager import CHART
from components.specs.cert_manager import VERSION as PINNED
from policies.cert_manager import PROTECT, SOURCE, VERSION
from tests.policies.support import breaks, certificate, configured, findings, holds, issuer, kubernetes, release

DIGEST = "sha256:" + "0" * 64
ELSEWHERE = "oci://registry.elsewhere.test/charts/cert-manager"
IMAGES = "quay.io/jetstack/cert-manager-"
STACKS: tuple[dict[str, str], ...] = ({}, {"production": "true"})


@pytest.mark.parametrize("version", ["v1.19.5", "1.20.2", "v1.21.0", "1.21.1", "~1.21", ">=1.21.2"])
@pytest.mark.parametrize("chart", [CHART, "cert-manager", "/charts/cert-manager", "jetstack/cert-manager"])
def test_a_vulnerable_version_and_a_range_are_refused(version: str, chart: str) -> None:
    breaks(VERSION, release(version, chart), saying=f"the version {version}")


@pytest.mark.parametrize(
    ("version", "chart"),
    [
        (None, f"{CHART}:v1.11.5"),
        (None, f"{CHART}:v1.11.5@{DIGEST}"),
        ("v1.21.2", f"{CHART}:v1.11.5"),
        (None, "./cert-manager-v1.11.5.tgz"),
        (None, "https://charts.jetstack.io/charts/cert-manager-v1.11.5.tgz?download=1"),
    ],
)
def test_a_version_in_the_reference_is_judged_too(version: str | None, chart: str) -> None:
    breaks(VERSION, release(version, chart), saying="the version v1.11.5 is open to GHSA-8rvj-mm4h-c258")


@pytest.mark.parametrize("chart", [CHART, f"{CHART}@{DIGEST}", "/charts/cert-manager/", "./cert-manager.tgz"])
@pytest.mark.parametrize("kind", ["v3:Release", "v3:Chart", "v4:Chart"])
def test_a_chart_without_a_version_is_refused(chart: str, kind: str) -> None:
    breaks(VERSION, release(None, chart, kind=kind), saying="the chart has no version")


def test_a_release_named_cert_manager_is_judged_and_other_charts_are_not() -> None:
    renamed = release("v1.11.5", "oci://mirror.test/cm", name="cert-manager")
    breaks(VERSION, renamed, saying="Release it: the version v1.11.5")
    holds(VERSION, *map(release, ("v1.19.6", "v1.20.3", "1.21.2", PINNED)))
    holds(VERSION, release(None, f"{CHART}:{PINNED}@{DIGEST}"))
    for rule in (VERSION, SOURCE):
        holds(rule, release("0.1.0", chart="oci://quay.io/jetstack/charts/trust-manager"))
        holds(rule, release("0.1.0", chart="oci://elsewhere.test/charts/cert-manager-csi-driver"))


@pytest.mark.parametrize("config", STACKS, ids=str)
def test_only_the_official_chart_is_accepted_in_every_stack(config: dict[str, str]) -> None:
    with configured(**config):
        for chart in (CHART, f"{CHART}:{PINNED}", f"{CHART}@{DIGEST}", f"{CHART}:{PINNED}@{DIGEST}"):
            holds(SOURCE, release(PINNED, chart))
        for chart in (
            ELSEWHERE,
            f"{ELSEWHERE}:{PINNED}",
            f"{ELSEWHERE}@{DIGEST}",
            "oci://quay.io/jetstack-charts/cert-manager",
            "oci://quay.io/jetstack/charts/evil/cert-manager",
            "oci://quay.io.elsewhere.test/jetstack/charts/cert-manager",
            "https://elsewhere.test/cert-manager-v1.21.2.tgz",
        ):
            for kind in ("v3:Release", "v3:Chart", "v4:Chart"):
                breaks(SOURCE, release(PINNED, chart, kind=kind), saying=f"the chart is {chart}, and not {CHART}")


@pytest.mark.parametrize(
    ("changed", "saying"),
    [
        (release(chart="cert-manager", repositoryOpts={"repo": "https://x.test"}), "comes from https://x.test"),
        (release(repositoryOpts={"repo": "oci://x"}), "comes from oci://x"),
        (release(postrender="sh"), "has a post-renderer"),
        (release(postRenderer={"command": "sh"}), "has a post-renderer"),
    ],
    ids=["repository", "registry", "post-renderer of v3", "post-renderer of v4"],
)
def test_a_repository_and_a_post_renderer_are_refused(changed: PolicyResource, saying: str) -> None:
    breaks(SOURCE, changed, saying=saying)


@pytest.mark.parametrize("chart", ["/charts/cert-manager", "./cert-manager-v1.21.2.tgz", "cert-manager"])
def test_a_local_chart_is_refused_in_production_only(chart: str) -> None:
    holds(SOURCE, release(PINNED, chart))
    with configured(production="true"):
        breaks(SOURCE, release(PINNED, chart), saying=f"the chart is {chart}, and not {CHART}")


@pytest.mark.parametrize(
    ("values", "saying"),
    [
        ({"imageRegistry": "x.test"}, "x.test/jetstack/cert-manager-controller is not from quay.io/"),
        ({"imageNamespace": "other"}, "the image quay.io/other/cert-manager-controller is not from"),
        ({"image": {"registry": "x.test"}}, "x.test/quay.io/jetstack/cert-manager-controller is not"),
        ({"image": {"repository": "x.test/cert-manager-controller"}}, "is not from quay.io/jetstack"),
        ({"image": {"repository": "x.test/controller", "tag": PINNED}}, "the image x.test/controller is not from"),
        ({"image": {"name": "other"}}, "the image quay.io/jetstack/other is not from quay.io/jetstack"),
        ({"image": {"tag": "v1.11.5"}}, "of the image cert-manager-controller, the version v1.11.5 is open to"),
        ({"image": {"tag": "latest"}}, "the version latest is not a chart version"),
        ({"webhook": {"image": {"tag": "v1.11.5"}}}, "of the image cert-manager-webhook"),
        ({"cainjector": {"image": {"repository": "x.test/cert-manager-cainjector"}}}, "x.test/cert-manager-cainjector"),
        ({"acmesolver": {"image": {"registry": "x.test"}}}, "x.test/quay.io/jetstack/cert-manager-acmesolver"),
        ({"startupapicheck": {"image": {"tag": "v1.20.2"}}}, "of the image cert-manager-startupapicheck"),
        ({"extraArgs": ["--v=2", "--acme-http01-solver-image=x.test/solver:v1"]}, "the image x.test/solver is not"),
    ],
    ids=str,
)
def test_an_image_that_is_not_the_charts_own_is_refused(values: dict[str, Any], saying: str) -> None:
    reported = findings(SOURCE.policy(), release(values=values))
    assert any(saying in finding for finding in reported), f"{saying} among {reported}"


def test_the_charts_own_images_hold_and_a_digest_outside_production() -> None:
    unrelated = {"image": {"pullPolicy": "Always"}, "webhook": {"replicaCount": 3.0}, "extraArgs": ["--v=2"]}
    by_digest = release(values={"image": {"digest": DIGEST}})
    holds(SOURCE, by_digest)
    with configured(production="true"):
        breaks(SOURCE, by_digest, saying="has a digest, which hides its version")
        for values in (unrelated, {"image": {"tag": PINNED}}, {"imageRegistry": "quay.io", "image": {"tag": PINNED}}):
            holds(SOURCE, release(values=values))


def workload(type_: str, *images: str, args: list[str] | None = None) -> PolicyResource:
    pod = {"containers": [{"image": image, **({"args": args} if args else {})} for image in images]}
    if type_.endswith(":Pod"):
        return kubernetes(type_, spec=pod)
    template = {"template": {"spec": pod}}
    return kubernetes(type_, spec={"jobTemplate": {"spec": template}} if type_.endswith("CronJob") else template)


@pytest.mark.parametrize(
    "type_",
    [
        *(f"apps/v1:{kind}" for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")),
        *(f"batch/v1:{kind}" for kind in ("Job", "CronJob")),
        *(f"core/v1:{kind}" for kind in ("Pod", "ReplicationController")),
    ],
)
def test_cert_managers_images_are_judged_in_every_workload(type_: str) -> None:
    old = workload(type_, "istio/proxyv2:1.30.0", f"{IMAGES}controller:v1.11.5")
    breaks(SOURCE, old, saying="of the image cert-manager-controller, the version v1.11.5")
    foreign = workload(type_, f"elsewhere.test/cert-manager-webhook:{PINNED}")
    breaks(SOURCE, foreign, saying="the image elsewhere.test/cert-manager-webhook is not from")
    breaks(SOURCE, workload(type_, f"{IMAGES}cainjector"), saying="the image cert-manager-cainjector has no version")
    args = ["--v=2", f"--acme-http01-solver-image={IMAGES}acmesolver:{PINNED}"]
    holds(SOURCE, workload(type_, f"{IMAGES}controller:{PINNED}", "nginx", args=args))


def test_init_containers_and_the_solvers_image_are_judged() -> None:
    init = kubernetes("core/v1:Pod", spec={"initContainers": [{"image": "x.test/cert-manager-controller:v1.21.2"}]})
    breaks(SOURCE, init, saying="x.test/cert-manager-controller")
    args = ["--acme-http01-solver-image=x.test/cert-manager-acmesolver:v1"]
    solver = workload("apps/v1:Deployment", f"{IMAGES}controller:{PINNED}", args=args)
    breaks(SOURCE, solver, saying="x.test/cert-manager-acmesolver", times=2)


@pytest.mark.parametrize(
    "needed",
    [
        release(name="cert-manager"),
        release(kind="v4:Chart"),
        issuer(),
        issuer(kind="Issuer"),
        kubernetes("apiextensions.k8s.io/v1:CustomResourceDefinition", "certificates.cert-manager.io", None),
    ],
    ids=lambda needed: needed.resource_type,
)
def test_production_protects_what_renewals_need(needed: PolicyResource) -> None:
    holds(PROTECT, needed)
    with configured(production="true"):
        breaks(PROTECT, needed, saying="is not protected")
        needed.opts.protect = True
        holds(PROTECT, needed)


def test_production_protects_cert_managers_namespace() -> None:
    namespace = kubernetes("core/v1:Namespace", "cert-manager", None)
    with configured(production="true"):
        installed = release(namespace="cert-manager", protect=True)
        breaks(PROTECT, installed, namespace, saying="Namespace cert-manager is not protected")


def test_other_objects_need_no_protection() -> None:
    with configured(production="true"):
        holds(
            PROTECT,
            certificate(),
            release("1.0.0", "oci://elsewhere.test/charts/shop"),
            release(namespace="cert-manager", protect=True),
            kubernetes("core/v1:Namespace", "shop", None),
            kubernetes("apiextensions.k8s.io/v1:CustomResourceDefinition", "gateways.networking.istio.io", None),
            kubernetes("core/v1:ConfigMap", "certificates.cert-manager.io"),
            kubernetes("awspca.cert-manager.io/v1:Issuer"),
            kubernetes("cert-manager.io/v1:ClusterIssuerPatch"),
        )
