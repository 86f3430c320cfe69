"""cert-manager: its version, its chart and its images, however it is installed; and its protection."""

import json
from typing import Any

import pulumi
import pytest
import yaml
from pulumi_policy import PolicyResource

from components.specs.cert_manager import CHART
from components.specs.cert_manager import VERSION as PINNED
from policies.cert_manager import PROTECT, SOURCE, VERSION
from policies.other_kinds import OTHER_WAYS
from tests.policies.support import (
    advice,
    breaks,
    certificate,
    configured,
    findings,
    holds,
    issuer,
    kubernetes,
    release,
)

DIGEST = "sha256:" + "0" * 64
IMAGES = "quay.io/jetstack/cert-manager-"


@pytest.mark.parametrize("chart", [CHART, "cert-manager", "/charts/cert-manager", "jetstack/cert-manager"])
def test_a_vulnerable_version_and_a_range_are_refused(chart: str) -> None:
    for version in ("v1.19.5", "~1.21"):
        breaks(VERSION, release(version, chart), saying=f"the version {version}")


@pytest.mark.parametrize("reference", [f"{CHART}:v1.11.5@{DIGEST}", "https://x.test/cert-manager-v1.11.5.tgz?raw=1"])
def test_a_version_in_the_reference_is_judged_too(reference: str) -> None:
    for version in (None, PINNED):
        breaks(VERSION, release(version, reference), saying="the version v1.11.5 is open to GHSA-8rvj-mm4h-c258")


@pytest.mark.parametrize("chart", [f"{CHART}@{DIGEST}", "/charts/cert-manager/", "./cert-manager.tgz"])
def test_a_chart_without_a_version_is_refused(chart: str) -> None:
    breaks(VERSION, release(None, chart, kind="v4:Chart"), saying="the chart has no version")


def test_a_release_named_cert_manager_is_judged_and_other_charts_are_not() -> None:
    renamed = release("v1.11.5", "oci://mirror.test/cm", name="cert-manager")
    breaks(VERSION, renamed, saying="Release it: the version v1.11.5")
    holds(VERSION, *map(release, ("v1.19.6", "v1.20.3", "1.21.2", PINNED)))
    holds(VERSION, release(None, f"{CHART}:{PINNED}@{DIGEST}"))
    for rule in (VERSION, SOURCE):
        holds(rule, release("0.1.0", chart="oci://quay.io/jetstack/charts/trust-manager"))
        holds(rule, release("0.1.0", chart="oci://elsewhere.test/charts/cert-manager-csi-driver"))


@pytest.mark.parametrize("production", ["false", "true"])
def test_only_the_official_chart_is_accepted_in_every_stack(production: str) -> None:
    with configured(production=production):
        for chart in (CHART, f"{CHART}:{PINNED}@{DIGEST}"):
            holds(SOURCE, release(PINNED, chart))
        for chart in (f"oci://x.test/cert-manager:{PINNED}@{DIGEST}", "https://x.test/cert-manager-v1.21.2.tgz"):
            breaks(SOURCE, release(PINNED, chart), saying=f"the chart is {chart}, and not {CHART}")


def test_a_repository_and_a_post_renderer_are_refused() -> None:
    breaks(SOURCE, release(repositoryOpts={"repo": "https://x.test"}), saying="comes from https://x.test")
    for changed in (release(postrender="sh"), release(postRenderer={"command": "sh"})):
        breaks(SOURCE, changed, saying="has a post-renderer")


@pytest.mark.parametrize(
    ("hidden", "saying"),
    [
        (
            {"valueYamlFiles": [pulumi.FileAsset("values.yaml")]},
            "has valueYamlFiles: no policy sees the values in them",
        ),
        ({"reuseValues": True}, "has reuseValues: no policy sees the values of the release before"),
        ({"plainHttp": True}, "has plainHttp: anyone on the way can change the chart"),
        ({"repositoryOpts": {"caFile": "ca.pem"}}, "has repositoryOpts, which oci://quay.io/jetstack/charts"),
    ],
)
def test_what_hides_the_chart_or_its_values_is_refused(hidden: dict[str, Any], saying: str) -> None:
    breaks(SOURCE, release(**hidden), saying=saying)


@pytest.mark.parametrize(
    ("values", "saying"),
    [
        ({"extraObjects": ["kind: {{ .Values.kind }}"]}, "has a template in extraObjects, which no policy judges"),
        ({"extraContainers": [{"image": "x.test/x"}]}, "has extraContainers in its values"),
        ({"podDnsPolicy": "Default\ninitContainers: [{image: x.test/x}]"}, "has a value of several lines"),
        ({"maxConcurrentChallenges": "60\u2028          - --acme"}, "has a value of several lines"),
        ({"global": {"commonLabels": {"a\n          - --x": "b"}}}, "has a value of several lines"),
    ],
    ids=str,
)
def test_a_value_that_adds_to_the_chart_is_refused(values: dict[str, Any], saying: str) -> None:
    breaks(SOURCE, release(values=values), saying=saying)


def test_the_objects_that_values_add_to_a_chart_are_judged_as_the_programs_own() -> None:
    network = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "solver"}}
    envoy = {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "spec": {"configPatches": [{}]}}
    envoy["metadata"] = {"name": "filter", "namespace": "istio-system"}
    old = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": f"{IMAGES}controller:v1.11.5"}]}}
    added = release(values={"extraObjects": [yaml.safe_dump_all([network, envoy]), json.dumps(old)]})
    breaks(OTHER_WAYS, added, saying="EnvoyFilter istio-system/filter has changes for the gateway itself")
    breaks(SOURCE, added, saying="Pod it: of the image cert-manager-controller, the version v1.11.5")
    holds(SOURCE, release(values={"extraObjects": [yaml.safe_dump(network), "a text"]}))


def test_an_added_object_that_is_too_large_is_refused_in_production() -> None:
    large = release(values={"extraObjects": ["a: " + "[" * 1000]})
    assert findings(SOURCE.policy(), large) == []
    assert advice(large, rule=SOURCE) == [
        "it: values.extraObjects has too many values within each other (cert-manager-is-official)"
    ]
    with configured(production="true"):
        breaks(SOURCE, large, saying="it cannot be judged: values.extraObjects has too many values")


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_production_keeps_the_cas_that_cert_manager_trusts(name: str) -> None:
    paths = ("/", "/etc", "//etc/ssl/certs/ca-certificates.crt", "/etc/x/../pki", "/app/cmd")
    variables, mounts = [{"name": name, "value": "/x"}], [{"mountPath": path} for path in paths]
    proxied = release(values={"extraEnv": [{"name": "HTTPS_PROXY"}], "volumeMounts": [{"mountPath": "/etc/config"}]})
    changed = release(values={"extraEnv": variables, "volumeMounts": mounts})
    by_hand = deployment(f"{IMAGES}controller:{PINNED}", env=variables, volumeMounts=mounts)
    holds(SOURCE, changed, by_hand)
    with configured(production="true"):
        holds(SOURCE, proxied, deployment("nginx", env=variables, volumeMounts=mounts))
        for bad in (changed, by_hand):
            breaks(SOURCE, bad, saying=f"has the variable {name}, which changes the CAs", times=6)


@pytest.mark.parametrize(
    ("values", "saying"),
    [
        ({"imageRegistry": "x.test"}, "x.test/jetstack/cert-manager-controller is not from quay.io/"),
        ({"imageRegistry": ""}, "the image jetstack/cert-manager-controller is not from quay.io/jetstack"),
        ({"imageNamespace": ""}, "the image quay.io/cert-manager-controller is not from quay.io/jetstack"),
        ({"imageNamespace": "other"}, "the image quay.io/other/cert-manager-controller is not from"),
        ({"image": {"registry": "x.test"}}, "x.test/quay.io/jetstack/cert-manager-controller is not"),
        ({"image": {"repository": "x.test/controller", "tag": PINNED}}, "the image x.test/controller is not from"),
        ({"image": {"name": "other"}}, "the image quay.io/jetstack/other is not from quay.io/jetstack"),
        ({"image": {"tag": "v1.11.5"}}, "of the image cert-manager-controller, the version v1.11.5 is open to"),
        *(
            ({component: {"image": {"tag": "v1.11.5"}}}, f"of the image cert-manager-{component}")
            for component in ("webhook", "cainjector", "acmesolver", "startupapicheck")
        ),
        ({"extraArgs": ["--v=2", "--acme-http01-solver-image=x.test/solver:v1"]}, "the image x.test/solver is not"),
        ({"extraArgs": ["--acme-http01-solver-image", "x.test/solver:v1"]}, "the image x.test/solver is not"),
        ({"config": {"acmeHTTP01Config": {"solverImage": "x.test/solver:v1"}}}, "the image x.test/solver is not"),
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


def deployment(*images: str, **container: Any) -> PolicyResource:
    pod = {"containers": [{"image": image, **container} for image in images]}
    return kubernetes("apps/v1:Deployment", spec={"template": {"spec": pod}})


def test_cert_managers_images_are_judged_outside_of_its_chart_too() -> None:
    old = deployment("istio/proxyv2:1.30.0", f"{IMAGES}controller:v1.11.5")
    breaks(SOURCE, old, saying="of the image cert-manager-controller, the version v1.11.5")
    foreign = deployment(f"elsewhere.test/cert-manager-webhook:{PINNED}")
    breaks(SOURCE, foreign, saying="the image elsewhere.test/cert-manager-webhook is not from")
    breaks(SOURCE, deployment(f"{IMAGES}cainjector"), saying="the image cert-manager-cainjector has no version")


def test_images_are_judged_in_every_kind_of_workload_and_in_init_containers() -> None:
    pod = {"ephemeralContainers": [{"image": "x.test/cert-manager-controller:v1.21.2"}]}
    template = {"template": {"spec": {"initContainers": pod["ephemeralContainers"]}}}
    for type_, spec in (
        ("core/v1:Pod", pod),
        ("batch/v1:CronJob", {"jobTemplate": {"spec": template}}),
        ("argoproj.io/v1alpha1:Rollout", template),
    ):
        breaks(SOURCE, kubernetes(type_, spec=spec), saying="x.test/cert-manager-controller")


def test_the_image_of_the_solver_is_judged_in_the_arguments() -> None:
    option = "--acme-http01-solver-image="
    controller = f"{IMAGES}controller:{PINNED}"
    holds(SOURCE, deployment(controller, "nginx", args=["--v=2", f"{option}{IMAGES}acmesolver:{PINNED}"]))
    for container in (
        {"args": [f"{option}x.test/cert-manager-acmesolver:v1"]},
        {"args": ["--acme-http01-solver-image", "x.test/cert-manager-acmesolver:v1"]},
        {"command": ["sh", "-c", f"controller {option}'x.test/cert-manager-acmesolver:v1' --v=2"]},
    ):
        foreign = deployment(controller, **container)
        breaks(SOURCE, foreign, saying="x.test/cert-manager-acmesolver", times=2)


def test_the_image_of_the_solver_is_judged_in_a_file_of_flags() -> None:
    config = {"kind": "ControllerConfiguration", "acmeHTTP01Config": {"solverImage": "x.test/solver:v1.21.2"}}
    group = {"apiVersion": "controller.config.cert-manager.io/v1alpha1"}
    for write in (json.dumps, yaml.safe_dump):
        file = kubernetes("core/v1:ConfigMap", data={"config.yaml": write({**group, **config}), "n": 1.0})
        breaks(SOURCE, file, saying="ConfigMap shop/it: the image x.test/solver is not from")
        holds(SOURCE, kubernetes("core/v1:ConfigMap", data={"config.yaml": write(config)}))


@pytest.mark.parametrize(
    "needed",
    [
        release(),
        issuer(),
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
