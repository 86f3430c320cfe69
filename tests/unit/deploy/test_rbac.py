"""The roles inside a cluster: what they grant, how they are bound, and their comparison with an audit log."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.specs.acme import ENVIRONMENTS, external_account_secret
from deploy.bootstrap.rbac.__main__ import main
from deploy.bootstrap.rbac.audit import Use, compare, uses
from deploy.bootstrap.rbac.manifests import FILES, Place, manifests, rights, roles
from deploy.bootstrap.rbac.rules import Right, as_rules, rights_of

USER = "pulumi-deploy-dev@platform.iam.gserviceaccount.com"
CERTS = "istio-ingressgateway-certs"
EXTERNAL_ACCOUNTS = {external_account_secret(environment) for environment in ENVIRONMENTS}


def event(
    verb: str, resource: str = "", uri: str = "/x", code: int = 200, user: str = USER, **ref: str
) -> dict[str, Any]:
    """An event as the API server writes it at the level Metadata."""
    audit_event = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
        "requestURI": uri, "verb": verb, "user": {"username": user, "groups": ["system:authenticated"]},
        "responseStatus": {"code": code},
    }  # fmt: skip
    return audit_event | ({"objectRef": {"resource": resource, "apiVersion": "v1", **ref}} if resource else {})


def used(*events: dict[str, Any]) -> list[Use]:
    return list(uses(map(json.dumps, events), USER))


def rights_for(identity: str, **place: Any) -> set[Right]:
    """All rights of an identity."""
    always, seldom = rights(roles(identity, Place(**place)))
    return always | seldom


class TestLog:
    @pytest.mark.parametrize(
        ("request_", "right"),
        [
            (
                event("get", "certificates", apiGroup="cert-manager.io", namespace="a", name="x"),
                Right("cert-manager.io", "certificates", "get", "a", "x"),
            ),
            # The authorizer does not see a new object's name, unless it is in the URL.
            (event("create", "secrets", namespace="a", name="x"), Right("", "secrets", "create", "a")),
            (
                event("create", "serviceaccounts", namespace="a", name="x", subresource="token"),
                Right("", "serviceaccounts/token", "create", "a", "x"),
            ),
            (event("list", "services", namespace="a", name="x"), Right("", "services", "list", "a", "x")),
            (event("get", uri="/metrics"), Right("", "/metrics", "get")),
            (
                event("get", "pods", user="system:admin") | {"impersonatedUser": {"username": USER}},
                Right("", "pods", "get"),
            ),
        ],
        ids=["get", "create", "subresource", "list of one name", "URL", "impersonated"],
    )
    def test_a_request_is_read_as_a_right(self, request_: dict[str, Any], right: Right) -> None:
        assert used(request_) == [Use(right, allowed=True, dry_run=False)]

    @pytest.mark.parametrize(
        "request_",
        [
            event("get", "secrets", user="system:admin"),
            event("get", "secrets") | {"impersonatedUser": {"username": "other"}},
            event("watch", "secrets") | {"stage": "ResponseStarted"},
            event("create", "selfsubjectaccessreviews", apiGroup="authorization.k8s.io"),
            *(event("get", uri=uri) for uri in ("/api", "/apis/apps/v1", "/openapi/v3?hash=a", "/version?timeout=32s")),
        ],
        ids=["other user", "as another", "begin of a watch", "self review", "/api", "/apis", "/openapi", "/version"],
    )
    def test_requests_of_others_and_those_that_everybody_may_make_are_skipped(self, request_: dict[str, Any]) -> None:
        assert not used(request_)

    def test_refusals_and_dry_runs_are_marked(self) -> None:
        refused, dry_run = used(event("get", "secrets", code=403), event("create", "secrets", "/x?dryRun=All", 403))
        assert (refused.allowed, refused.dry_run) == (False, False)
        assert (dry_run.allowed, dry_run.dry_run) == (False, True)

    def test_another_file_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no audit event"):
            list(uses(['{"kind": "Pod"}'], USER))


class TestComparison:
    def test_roles_that_fit_are_good(self) -> None:
        requests = used(event("get", "secrets", namespace="a", name="x"), event("create", "secrets", namespace="a"))
        assert compare([Right("", "secrets", "get", "a", "x"), Right("", "secrets", "create")], requests).good

    @pytest.mark.parametrize(
        "granted",
        [
            Right("", "secrets", "get", "a", "other"),
            Right("", "secrets", "get", "other", "x"),
            Right("", "secrets", "list", "a", "x"),
            Right("", "configmaps", "get", "a", "x"),
            Right("apps", "secrets", "get", "a", "x"),
        ],
        ids=["name", "namespace", "verb", "resource", "group"],
    )
    def test_a_missing_right_and_an_unused_one_are_reported(self, granted: Right) -> None:
        comparison = compare([granted], used(event("get", "secrets", namespace="a", name="x")))
        assert list(comparison.missing) == [Right("", "secrets", "get", "a", "x")]
        assert list(comparison.unused) == [granted]
        assert not comparison.good

    def test_a_right_for_one_name_does_not_allow_a_list_of_all(self) -> None:
        listed = used(event("list", "secrets", namespace="a"))
        assert compare([Right("", "secrets", "list", "a", "x")], listed).missing

    def test_a_refused_request_is_missing_but_a_refused_dry_run_alone_is_not(self) -> None:
        dry_run = event("create", "secrets", "/x?dryRun=All", 403)
        assert compare([], used(event("get", "secrets", code=403))).missing
        assert compare([], used(dry_run)).good
        assert compare([], used(dry_run)).refused_dry_runs
        assert not compare([], used(dry_run, event("create", "secrets"))).good

    def test_only_a_list_shows_that_a_watch_is_needed(self) -> None:
        watch = Right("", "pods", "watch", "a")
        granted = [Right("", "pods", "list", "a"), watch]
        assert compare(granted, used(event("list", "pods", namespace="a"))).good, "the wait ended before the watch"
        read = used(event("get", "pods", namespace="a"))
        assert compare([Right("", "pods", "get", "a"), watch], read).unused == [watch]

    def test_rights_that_some_runs_need_may_stay_unused(self) -> None:
        seldom = [Right("", "events", "list")]
        assert compare([], [], seldom).good
        assert compare([], used(event("list", "events", namespace="a")), seldom).good


RIGHTS = st.builds(
    Right,
    st.sampled_from(["", "apps"]),
    st.sampled_from(["pods", "secrets", "pods/log"]),
    st.sampled_from(["get", "list", "create"]),
    st.just("a"),
    st.sampled_from(["", "x", "y"]),
)


@given(st.sets(RIGHTS))
def test_computed_rules_grant_exactly_the_rights_they_are_computed_from(wanted: set[Right]) -> None:
    rules = as_rules(wanted)
    assert set(rights_of(rules, "a")) == wanted
    assert not [rule for rule in rules if "" in rule.get("resourceNames", [])], "that would be a name, not every name"


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
        assert not [right for right in always | seldom if right.resource in ("pods", "clusterroles")]
        assert not [right for right in always if right.resource == "deployments"]
        secrets = [right for right in always if right.resource == "secrets"]
        assert secrets == [Right("", "secrets", "get", "istio-system", CERTS)]

    def test_every_role_is_bound_to_its_stacks_identity(self) -> None:
        made = list(manifests("drift", "dev", USER))
        for role, binding in zip(made[::2], made[1::2], strict=True):
            assert binding["roleRef"]["kind"] == role["kind"]
            assert binding["roleRef"]["name"] == role["metadata"]["name"]
            assert binding["metadata"].get("namespace") == role["metadata"].get("namespace")
            assert binding["subjects"][0]["name"] == USER
            assert role["metadata"]["name"].endswith("-dev"), "another stack has its own"

    def test_namespaces_and_names_come_from_the_stack(self) -> None:
        place = Place(("ingress/gateway",), "certs", ("a", "b"))
        always, _ = rights(roles("drift", place))
        assert {right.namespace for right in always} == {"", "ingress", "certs"}
        assert {right.name for right in always if right.resource == "secrets" and right.verb == "get"} == {"a", "b"}
        assert Right("", "services", "list", "ingress", "gateway") in always
        assert Right("", "namespaces", "delete", name="certs") in rights(roles("deploy", place))[0]
        _, seldom = rights(roles("drift", replace(place, control_plane_namespace="istio", mesh_config="istio-blue")))
        assert Right("", "configmaps", "get", "istio", "istio-blue") in seldom
        assert Right("apps", "deployments", "get", "ingress", "gateway") in seldom

    def test_namespaces_may_be_swapped(self) -> None:
        swapped = rights_for(
            "drift", gateways=("cert-manager/istio-ingressgateway",), cert_manager_namespace="istio-system"
        )
        assert Right("", "secrets", "list", "istio-system") in swapped
        assert Right("", "services", "list", "cert-manager", "istio-ingressgateway") in swapped

    def test_each_gateways_namespace_has_its_own_roles(self) -> None:
        drift = rights_for("drift", gateways=("istio-system/a", "istio-system/b", "internal/c"))
        services = {(right.namespace, right.name) for right in drift if right.resource == "services"}
        assert services == {("istio-system", "a"), ("istio-system", "b"), ("internal", "c")}


class TestCommand:
    @pytest.fixture
    def log(self, tmp_path: Path) -> str:
        events = [
            event("get", "gateways", apiGroup="networking.istio.io", namespace="istio-system", name="a"),
            event("create", "secrets", "/x?dryRun=All", 403, namespace="a"),
        ]
        file = tmp_path / "audit.log"
        file.write_text("\n".join(map(json.dumps, events)))
        return str(file)

    def test_manifests_are_printed_for_kubectl(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["manifests", "--stack", "dev", "--project", "platform", "--identity", "deploy"]) == 0
        assert list(yaml.safe_load_all(capsys.readouterr().out)) == list(manifests("deploy", "dev", USER))

    def test_rules_are_computed_from_a_log_without_its_dry_runs(
        self, log: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["rules", log, "--user", USER]) == 0
        printed = capsys.readouterr().out
        assert printed.startswith("# in istio-system\n")
        assert yaml.safe_load(printed) == [
            {"apiGroups": ["networking.istio.io"], "resources": ["gateways"], "resourceNames": ["a"], "verbs": ["get"]}
        ]

    def test_an_identity_is_compared_with_a_log(self, log: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["compare", log, "--user", USER, "--identity", "preview"]) == 1
        printed = capsys.readouterr().out
        assert "missing" not in printed
        assert "  list services istio-ingressgateway in istio-system" in printed.split("unused")[1]
        assert "  create secrets in a" in printed.split("refused dry runs")[1]

    def test_a_log_without_the_user_proves_nothing(self, log: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["compare", log, "--user", "somebody", "--identity", "preview"]) == 2
        assert "has no request of somebody" in capsys.readouterr().err
