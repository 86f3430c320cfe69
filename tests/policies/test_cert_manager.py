"""cert-manager: its version, its chart and its images, however it is installed; and that it stays."""

from typing import Any

import pytest
from pulumi_policy import PolicyResource

from components.specs.cert_manager import CHART, VERSION
from policies import cert_manager
from policies.protection import PROTECT
from tests.policies.support import breaks, certificate, configured, findings, holds, issuer, kubernetes, release

DIGEST = "sha256:" + "0" * 64
ELSEWHERE = "oci://registry.elsewhere.test/charts/cert-manager"


@pytest.mark.parametrize(
    "version", ["v1.11.5", "v1.19.5", "v1.20.2", "1.20.2", "v1.21.0", "1.21.1", "~1.21", ">=1.21.2"]
)
@pytest.mark.parametrize("chart", [CHART, "cert-manager", "/charts/cert-manager", "jetstack/cert-manager"])
def test_a_version_with_known_advisories_and_a_range_are_refused(version: str, chart: str) -> None:
    breaks(cert_manager.VERSION, release(version, chart), saying=f"the version {version}")


@pytest.mark.parametrize(
    ("version", "chart"),
    [
        (None, f"{CHART}:v1.11.5"),
        (None, f"{CHART}:v1.11.5@{DIGEST}"),
        ("v1.21.2", f"{CHART}:v1.11.5"),
        (None, "./cert-manager-v1.11.5.tgz"),
        (None, "https://charts.jetstack.io/charts/cert-manager-v1.11.5.tgz"),
        (None, "https://charts.jetstack.io/charts/cert-manager-v1.11.5.tgz?download=1"),
    ],
)
def test_a_version_in_the_reference_is_judged_too(version: str | None, chart: str) -> None:
    breaks(cert_manager.VERSION, release(version, chart), saying="the version v1.11.5 is open to GHSA-8rvj-mm4h-c258")


@pytest.mark.parametrize("chart", [CHART, f"{CHART}@{DIGEST}", "/charts/cert-manager/", "./cert-manager.tgz"])
@pytest.mark.parametrize("kind", ["v3:Release", "v3:Chart", "v4:Chart"])
def test_a_chart_without_a_version_is_refused(chart: str, kind: str) -> None:
    breaks(cert_manager.VERSION, release(None, chart, kind=kind), saying="the chart has no version")


def test_a_release_that_is_called_cert_manager_is_one() -> None:
    called = release("v1.11.5", "oci://mirror.test/cm", name="cert-manager")
    breaks(cert_manager.VERSION, called, saying="Release cert-manager: the version v1.11.5")


def test_a_secure_cert_manager_holds_and_other_charts_are_not_judged() -> None:
    holds(cert_manager.VERSION, *map(release, ("v1.19.6", "v1.20.3", "1.21.2", VERSION)))
    holds(cert_manager.VERSION, release(None, f"{CHART}:{VERSION}@{DIGEST}"))
    for rule in (cert_manager.VERSION, cert_manager.SOURCE):
        holds(rule, release("0.1.0", chart="oci://quay.io/jetstack/charts/trust-manager"))
        holds(rule, release("0.1.0", chart="oci://elsewhere.test/charts/cert-manager-csi-driver"))


@pytest.mark.parametrize("chart", [CHART, f"{CHART}:{VERSION}", f"{CHART}@{DIGEST}", f"{CHART}:{VERSION}@{DIGEST}"])
def test_the_official_chart_holds_by_version_and_by_digest(chart: str) -> None:
    for config in ({}, {"production": "true"}):
        with configured(**config):
            holds(cert_manager.SOURCE, release(VERSION, chart))


@pytest.mark.parametrize(
    "chart",
    [
        ELSEWHERE,
        f"{ELSEWHERE}:{VERSION}",
        f"{ELSEWHERE}@{DIGEST}",
        "oci://quay.io/jetstack-charts/cert-manager",
        "oci://quay.io/jetstack/charts/evil/cert-manager",
        "oci://quay.io.elsewhere.test/jetstack/charts/cert-manager",
        "https://elsewhere.test/cert-manager-v1.21.2.tgz",
    ],
)
@pytest.mark.parametrize("kind", ["v3:Release", "v3:Chart", "v4:Chart"])
def test_a_chart_from_elsewhere_is_refused_in_every_stack(chart: str, kind: str) -> None:
    for config in ({}, {"production": "true"}):
        with configured(**config):
            breaks(
                cert_manager.SOURCE, release(VERSION, chart, kind=kind), saying=f"the chart is {chart}, and not {CHART}"
            )


def test_a_chart_of_a_repository_is_refused() -> None:
    by_repository = release(VERSION, "cert-manager", repositoryOpts={"repo": "https://charts.elsewhere.test"})
    breaks(cert_manager.SOURCE, by_repository, saying="comes from https://charts.elsewhere.test")
    breaks(
        cert_manager.SOURCE, release(VERSION, CHART, repositoryOpts={"repo": "oci://x"}), saying="comes from oci://x"
    )


@pytest.mark.parametrize("chart", ["/charts/cert-manager", "./cert-manager-v1.21.2.tgz", "cert-manager"])
def test_a_chart_of_this_machine_is_for_other_stacks_than_production(chart: str) -> None:
    holds(cert_manager.SOURCE, release(VERSION, chart))
    with configured(production="true"):
        breaks(cert_manager.SOURCE, release(VERSION, chart), saying=f"the chart is {chart}, and not {CHART}")


@pytest.mark.parametrize("option", [{"postrender": "sh"}, {"postRenderer": {"command": "sh"}}], ids=str)
def test_a_post_renderer_is_refused(option: dict[str, Any]) -> None:
    breaks(cert_manager.SOURCE, release(**option), saying="has a post-renderer")


@pytest.mark.parametrize(
    ("values", "saying"),
    [
        ({"imageRegistry": "elsewhere.test"}, "elsewhere.test/jetstack/cert-manager-controller is not from quay.io/"),
        ({"imageNamespace": "other"}, "the image quay.io/other/cert-manager-controller is not from"),
        ({"image": {"registry": "elsewhere.test"}}, "elsewhere.test/quay.io/jetstack/cert-manager-controller is not"),
        ({"image": {"repository": "elsewhere.test/cert-manager-controller"}}, "is not from quay.io/jetstack"),
        ({"image": {"name": "other"}}, "the image quay.io/jetstack/other is not from quay.io/jetstack"),
        ({"image": {"tag": "v1.11.5"}}, "of the image cert-manager-controller, the version v1.11.5 is open to"),
        ({"image": {"tag": "latest"}}, "the version latest is not a chart version"),
        ({"webhook": {"image": {"tag": "v1.11.5"}}}, "of the image cert-manager-webhook"),
        ({"cainjector": {"image": {"repository": "x.test/cert-manager-cainjector"}}}, "x.test/cert-manager-cainjector"),
        ({"acmesolver": {"image": {"registry": "x.test"}}}, "x.test/quay.io/jetstack/cert-manager-acmesolver"),
        ({"startupapicheck": {"image": {"tag": "v1.20.2"}}}, "of the image cert-manager-startupapicheck"),
        ({"extraArgs": ["--v=2", "--acme-http01-solver-image=x.test/cert-manager-acmesolver:v1.21.2"]}, "x.test/cert"),
    ],
    ids=str,
)
def test_an_image_that_is_not_the_charts_own_is_refused(values: dict[str, Any], saying: str) -> None:
    found = findings(cert_manager.SOURCE.policy(), release(values=values))
    assert any(saying in each for each in found), f"{saying} among {found}"


def test_an_image_under_another_name_is_refused() -> None:
    renamed = release(values={"image": {"repository": "elsewhere.test/controller", "tag": "v1.21.2"}})
    breaks(cert_manager.SOURCE, renamed, saying="the image elsewhere.test/controller is not from quay.io/jetstack")
    other = release(values={"extraArgs": ["--acme-http01-solver-image=elsewhere.test/solver:v1"]})
    breaks(cert_manager.SOURCE, other, saying="the image elsewhere.test/solver is not from", times=2)


def test_an_image_by_digest_is_for_other_stacks_than_production() -> None:
    by_digest = release(values={"image": {"digest": DIGEST}})
    holds(cert_manager.SOURCE, by_digest)
    with configured(production="true"):
        breaks(cert_manager.SOURCE, by_digest, saying="has a digest, which hides its version")


def test_values_that_leave_the_images_alone_hold() -> None:
    values = {
        "replicaCount": 2.0,
        "image": {"pullPolicy": "Always"},
        "webhook": {"replicaCount": 3.0},
        "extraArgs": ["--v=2"],
    }
    with configured(production="true"):
        holds(cert_manager.SOURCE, release(values=values), release(values={"image": {"tag": VERSION}}))
        holds(cert_manager.SOURCE, release(values={"imageRegistry": "quay.io", "image": {"tag": VERSION}}))


def workload(type_: str, *images: str, args: list[str] | None = None) -> PolicyResource:
    pod = {"containers": [{"image": image, **({"args": args} if args else {})} for image in images]}
    if type_.endswith(":Pod"):
        return kubernetes(type_, spec=pod)
    template = {"template": {"spec": pod}}
    return kubernetes(type_, spec={"jobTemplate": {"spec": template}} if type_.endswith("CronJob") else template)


@pytest.mark.parametrize(
    "type_",
    [
        "apps/v1:Deployment",
        "apps/v1:StatefulSet",
        "apps/v1:DaemonSet",
        "apps/v1:ReplicaSet",
        "batch/v1:Job",
        "batch/v1:CronJob",
        "core/v1:Pod",
        "core/v1:ReplicationController",
    ],
)
def test_cert_managers_images_are_judged_in_every_workload(type_: str) -> None:
    old = workload(type_, "istio/proxyv2:1.30.0", "quay.io/jetstack/cert-manager-controller:v1.11.5")
    breaks(cert_manager.SOURCE, old, saying="of the image cert-manager-controller, the version v1.11.5")
    foreign = workload(type_, "elsewhere.test/cert-manager-webhook:v1.21.2")
    breaks(cert_manager.SOURCE, foreign, saying="the image elsewhere.test/cert-manager-webhook is not from")
    newest = workload(type_, "quay.io/jetstack/cert-manager-cainjector")
    breaks(cert_manager.SOURCE, newest, saying="the image cert-manager-cainjector has no version")


def test_init_containers_and_the_solvers_image_are_judged() -> None:
    init = kubernetes("core/v1:Pod", spec={"initContainers": [{"image": "x.test/cert-manager-controller:v1.21.2"}]})
    breaks(cert_manager.SOURCE, init, saying="x.test/cert-manager-controller")
    image = f"quay.io/jetstack/cert-manager-controller:{VERSION}"
    solver = workload(
        "apps/v1:Deployment", image, args=["--acme-http01-solver-image=x.test/cert-manager-acmesolver:v1"]
    )
    breaks(cert_manager.SOURCE, solver, saying="x.test/cert-manager-acmesolver", times=2)


def test_its_own_images_and_those_of_others_hold() -> None:
    image = f"quay.io/jetstack/cert-manager-controller:{VERSION}"
    solver = f"--acme-http01-solver-image=quay.io/jetstack/cert-manager-acmesolver:{VERSION}"
    holds(cert_manager.SOURCE, workload("apps/v1:Deployment", image, "nginx", args=["--v=2", solver]))


HURTS = (
    release(name="cert-manager"),
    release(kind="v4:Chart"),
    issuer(),
    issuer(kind="Issuer"),
    kubernetes("apiextensions.k8s.io/v1:CustomResourceDefinition", "certificates.cert-manager.io", None),
)


@pytest.mark.parametrize("hurting", HURTS, ids=lambda each: each.resource_type)
def test_production_protects_what_hurts_when_deleted(hurting: PolicyResource) -> None:
    with configured(production="true"):
        breaks(PROTECT, hurting, saying="is not protected")
        hurting.opts.protect = True
        holds(PROTECT, hurting)
        hurting.opts.protect = False
    holds(PROTECT, hurting)


def test_production_protects_the_namespace_that_cert_manager_is_in() -> None:
    its_own = kubernetes("core/v1:Namespace", "cert-manager", None)
    with configured(production="true"):
        installed = release(namespace="cert-manager", protect=True)
        breaks(PROTECT, installed, its_own, saying="Namespace cert-manager is not protected")
        holds(PROTECT, installed, kubernetes("core/v1:Namespace", "shop", None))


def test_other_crds_other_issuers_and_patches_need_no_protection() -> None:
    crd = "apiextensions.k8s.io/v1:CustomResourceDefinition"
    with configured(production="true"):
        holds(PROTECT, kubernetes(crd, "gateways.networking.istio.io", None))
        holds(PROTECT, kubernetes("core/v1:ConfigMap", "certificates.cert-manager.io"))
        holds(PROTECT, kubernetes("awspca.cert-manager.io/v1:Issuer"))
        holds(PROTECT, kubernetes("cert-manager.io/v1:ClusterIssuerPatch"), release(namespace="shop", protect=True))
        holds(PROTECT, kubernetes("core/v1:ConfigMap", "shop"))


def test_what_can_be_made_again_and_other_releases_need_no_protection() -> None:
    with configured(production="true"):
        holds(
            PROTECT,
            certificate(),
            release("1.0.0", "oci://elsewhere.test/charts/shop"),
            kubernetes("core/v1:Namespace"),
        )
