"""The roles inside a cluster: what they grant, how they are bound, and their comparison with an audit log."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.specs.acme import ENVIRONMENTS, external_account_secret
from deploy.bootstrap.rbac.__main__ import main
from deploy.bootstrap.rbac.manifests import FILES, Place, manifests, rights, roles
from deploy.bootstrap.rbac.rights import Right, Use, compare, rights_of, uses

USER = "pulumi-deploy-dev@platform.iam.gserviceaccount.com"
CERTS = "istio-ingressgateway-certs"
EXTERNAL_ACCOUNTS = {external_account_secret(environment) for environment in ENVIRONMENTS}


def event(verb: str, resource: str = "", uri: str = "/x", user: str = USER, **ref: str) -> dict[str, Any]:
    """An event as the API server writes it at the level Metadata."""
    audit_event = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
        "requestURI": uri, "verb": verb, "user": {"username": user, "groups": ["system:authenticated"]},
    }  # fmt: skip
    return audit_event | ({"objectRef": {"resource": resource, "apiVersion": "v1", **ref}} if resource else {})


def used(*events: dict[str, Any]) -> list[Use]:
    return list(uses(map(json.dumps, events), USER))


def rights_for(identity: str, **place: Any) -> set[Right]:
    """All rights of an identity."""
    always, seldom = rights(roles(identity, Place(**place)))
    return always | seldom


CERTIFICATE = event("get", "certificates", apiGroup="cert-manager.io", namespace="a", name="x")
TOKEN = event("create", "serviceaccounts", namespace="a", name="x", subresource="token")
REQUESTS: dict[str, tuple[dict[str, Any], Right | None]] = {
    "get": (CERTIFICATE, Right("cert-manager.io", "certificates", "get", "a", "x")),
    # The authorizer does not see a new object's name, unless it is in the URL.
    "create": (event("create", "secrets", namespace="a", name="x"), Right("", "secrets", "create", "a")),
    "subresource": (TOKEN, Right("", "serviceaccounts/token", "create", "a", "x")),
    "URL": (event("get", uri="/metrics"), Right("", "/metrics", "get")),
    "other user": (event("get", "secrets", user="system:admin"), None),
    "begin of a watch": (event("watch", "secrets") | {"stage": "ResponseStarted"}, None),
    "self review": (event("create", "selfsubjectaccessreviews", apiGroup="authorization.k8s.io"), None),
    **{uri: (event("get", uri=uri), None) for uri in ("/api", "/apis/apps/v1", "/openapi/v3?hash=a", "/version?a=b")},
}


@pytest.mark.parametrize(("request_", "right"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_read_as_a_right_unless_everybody_may_make_it(request_: Any, right: Right | None) -> None:
    assert [use.right for use in used(request_)] == ([right] if right else [])


READ = Right("", "secrets", "get", "a", "x")
LIST, WATCH = Right("", "pods", "list", "a"), Right("", "pods", "watch", "a")
GET = event("get", "secrets", namespace="a", name="x")
CREATE = event("create", "secrets", namespace="a")
DRY_RUN = event("create", "secrets", "/x?dryRun=All", namespace="a")
COMPARISONS: dict[str, tuple[list[Right], list[dict[str, Any]], list[Right], list[Right]]] = {
    "fitting": ([READ, Right("", "secrets", "create")], [GET, CREATE], [], []),
    **{
        f"another {field}": ([replace(READ, **{field: "other"})], [GET], [READ], [replace(READ, **{field: "other"})])
        for field in ("group", "resource", "verb", "namespace", "name")
    },
    "not granted": ([], [GET], [READ], []),
    "a refused dry run": ([], [DRY_RUN], [], []),
    # The wait may end before the watch.
    "a list that needs a watch": ([LIST, WATCH], [event("list", "pods", namespace="a")], [], []),
    "an unused watch": ([WATCH], [], [], [WATCH]),
}


@pytest.mark.parametrize("case", COMPARISONS.values(), ids=COMPARISONS)
def test_missing_and_unused_rights_are_reported(case: Any) -> None:
    granted, events, missing, unused = case
    comparison = compare(granted, used(*events))
    assert (comparison.missing, comparison.unused) == (missing, unused)


def test_rights_that_some_runs_need_may_stay_unused() -> None:
    for events in ([], [GET]):
        comparison = compare([], used(*events), seldom=[READ])
        assert (comparison.missing, comparison.unused) == ([], [])


@pytest.mark.parametrize("part", ["apiGroups", "resources", "verbs"])
def test_a_rule_with_a_wildcard_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="wildcard"):
        list(rights_of([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], part: ["*"]}]))


class TestRoles:
    @pytest.mark.parametrize("identity", FILES)
    def test_no_rule_has_a_wildcard_or_bypasses_rbac(self, identity: str) -> None:
        verbs = {right.verb for right in rights_for(identity)}  # rights_of refuses wildcards
        assert not verbs & {"escalate", "bind", "impersonate"}
        if identity != "deploy":
            assert verbs <= {"get", "list", "watch"}, "it only reads"

    def test_each_identity_reads_the_secrets_that_it_needs(self) -> None:
        def secrets(identity: str, **place: Any) -> set[Right]:
            return {right for right in rights_for(identity, **place) if right.resource.startswith("secrets")}

        assert secrets("preview") == set(), "a pull request reads none"
        named = {CERTS, f"{CERTS}-cacert", *EXTERNAL_ACCOUNTS}
        by_name = {Right("", "secrets", "get", "istio-system", name) for name in named}
        assert secrets("drift") == {*by_name, Right("", "secrets", "list", "cert-manager")}
        deploy = secrets("deploy", installs=False)
        assert {right.namespace for right in deploy} == {"istio-system"}, "another stack installs cert-manager"
        assert {right.name for right in deploy if right.verb != "create"} == named

    def test_a_stack_without_its_own_cert_manager_cannot_change_workloads(self) -> None:
        always, seldom = rights(roles("deploy", Place(installs=False)))
        changing = [right for right in always | seldom if right.verb not in ("get", "list", "watch")]
        assert not [right for right in changing if right.resource in ("pods", "clusterroles")]
        assert not [right for right in always if right.resource == "deployments"]

    @pytest.mark.parametrize(
        "kind", ["peerauthentications", "podmonitors", "prometheusrules", "podmonitorings", "rules"]
    )
    def test_what_others_also_have_is_changed_by_name_only(self, kind: str) -> None:
        changes = {
            (right.namespace, right.name)
            for right in rights_for("deploy", installs=False, applications=("shop", "web"), stack="dev")
            if right.resource == kind and right.verb in ("patch", "delete")
        }
        mtls = {("shop", "default"), ("web", "default")}
        assert changes == (mtls if kind == "peerauthentications" else {("", "certificates-dev")})

    def test_every_role_is_bound_to_its_stacks_identity(self) -> None:
        made = list(manifests("drift", USER, Place(stack="dev")))
        for role, binding in zip(made[::2], made[1::2], strict=True):
            assert binding["roleRef"]["kind"] == role["kind"]
            assert binding["roleRef"]["name"] == role["metadata"]["name"]
            assert binding["metadata"].get("namespace") == role["metadata"].get("namespace")
            assert binding["subjects"][0]["name"] == USER
            assert re.fullmatch("istio-gateway-tls-drift.*-dev", role["metadata"]["name"]), "others have their own"

    def test_namespaces_and_names_come_from_the_stack(self) -> None:
        gateways = ("cert-manager/gateway", "internal/a", "internal/b")
        place = Place(gateways, "istio-system", ("a", "b"))  # swapped
        always, _ = rights(roles("drift", place))
        assert {right.namespace for right in always} == {"", "cert-manager", "internal", "istio-system"}
        assert {right.name for right in always if right.resource == "secrets" and right.verb == "get"} == {"a", "b"}
        services = {f"{right.namespace}/{right.name}" for right in always if right.resource == "services"}
        assert services == {*gateways}
        assert Right("", "secrets", "list", "istio-system") in always
        assert Right("", "namespaces", "delete", name="istio-system") in rights(roles("deploy", place))[0]
        _, seldom = rights(roles("drift", replace(place, control_plane_namespace="istio", mesh_config="istio-blue")))
        assert Right("", "configmaps", "get", "istio", "istio-blue") in seldom
        assert Right("apps", "deployments", "get", "cert-manager", "gateway") in seldom


class TestCommand:
    @pytest.fixture
    def log(self, tmp_path: Path) -> str:
        events = [
            event("get", "gateways", apiGroup="networking.istio.io", namespace="istio-system", name="a"),
            DRY_RUN,
        ]
        file = tmp_path / "audit.log"
        file.write_text("\n".join(map(json.dumps, events)))
        return str(file)

    def test_an_identity_is_compared_with_a_log(self, log: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["compare", log, "--user", USER, "--stack", "dev", "--identity", "preview"]) == 1
        printed = capsys.readouterr().out
        assert "missing" not in printed
        assert "  list services istio-ingressgateway in istio-system" in printed.split("unused")[1]
        assert "  create secrets in a" in printed.split("refused dry runs")[1]

    @pytest.mark.parametrize(("options", "warned"), [([], True), (["--no-cert-manager"], False)])
    def test_who_gets_rights_that_amount_to_cluster_admin_is_said(
        self, capsys: pytest.CaptureFixture[str], options: list[str], warned: bool
    ) -> None:
        assert main(["manifests", "--stack", "dev", "--project", "platform", *options]) == 0
        assert (f"warning: {USER} amounts to cluster-admin" in capsys.readouterr().err) == warned

    def test_a_log_without_the_user_proves_nothing(self, log: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["compare", log, "--user", "somebody", "--stack", "dev", "--identity", "preview"]) == 2
        assert "has no request of somebody" in capsys.readouterr().err
