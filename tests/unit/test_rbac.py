"""The roles inside of a cluster: what they give, how they are handed out, and their comparison with an audit log."""

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
READS = {"get", "list", "watch"}
EXTERNAL_ACCOUNTS = {external_account_secret(environment) for environment in ENVIRONMENTS}


def event(verb: str, resource: str, uri: str = "/x", code: int = 200, user: str = USER, **ref: str) -> dict[str, Any]:
    """An event as the API server writes it at the level Metadata."""
    return {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
        "requestURI": uri, "verb": verb, "user": {"username": user, "groups": ["system:authenticated"]},
        "objectRef": {"resource": resource, "apiVersion": "v1", **ref}, "responseStatus": {"code": code},
    }  # fmt: skip


def asked(*events: dict[str, Any]) -> list[Use]:
    return list(uses(map(json.dumps, events), USER))


class TestLog:
    def test_what_a_user_asked_for_is_read(self) -> None:
        (use,) = asked(event("get", "certificates", apiGroup="cert-manager.io", namespace="istio-system", name="a"))
        assert use == Use(Right("cert-manager.io", "certificates", "get", "istio-system", "a"), True, False)

    def test_others_are_not_counted(self) -> None:
        assert not asked(event("get", "secrets", user="system:admin"))

    def test_who_is_impersonated_is_the_user(self) -> None:
        as_ = event("get", "secrets", user="system:admin") | {"impersonatedUser": {"username": USER}}
        by = event("get", "secrets") | {"impersonatedUser": {"username": "other"}}
        assert asked(as_)
        assert not asked(by)

    def test_a_new_objects_name_is_none_to_the_authorizer(self) -> None:
        created, token = asked(
            event("create", "secrets", namespace="a", name="from-the-body"),
            event("create", "serviceaccounts", namespace="a", name="sa", subresource="token"),
        )
        assert created.right == Right("", "secrets", "create", "a")
        assert token.right == Right("", "serviceaccounts/token", "create", "a", "sa"), "this one is in the URL"

    def test_a_list_of_one_name_is_of_that_name(self) -> None:
        (use,) = asked(event("list", "services", namespace="istio-system", name="istio-ingressgateway"))
        assert use.right.name == "istio-ingressgateway"

    def test_refusals_and_dry_runs_are_told_apart(self) -> None:
        refused, rehearsed = asked(
            event("get", "secrets", code=403), event("create", "secrets", uri="/x?dryRun=All&fieldManager=a", code=403)
        )
        assert (refused.allowed, refused.rehearsed) == (False, False)
        assert (rehearsed.allowed, rehearsed.rehearsed) == (False, True)

    def test_a_watch_is_counted_once(self) -> None:
        begun = event("watch", "secrets") | {"stage": "ResponseStarted"}
        assert len(asked(begun, event("watch", "secrets"))) == 1

    @pytest.mark.parametrize(
        "path", ["/api", "/apis/apps/v1", "/openapi/v3?hash=a", "/version", "/version?timeout=32s"]
    )
    def test_what_every_client_may_discover_is_no_right(self, path: str) -> None:
        discovered = event("get", "", uri=path)
        del discovered["objectRef"]
        assert not asked(discovered)

    def test_another_url_is(self) -> None:
        metrics = event("get", "", uri="/metrics")
        del metrics["objectRef"]
        assert [str(use.right) for use in asked(metrics)] == ["get /metrics"]

    def test_what_every_client_may_ask_of_itself_is_no_right(self) -> None:
        assert not asked(event("create", "selfsubjectaccessreviews", apiGroup="authorization.k8s.io"))

    def test_another_file_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no audit event"):
            list(uses(['{"kind": "Pod"}'], USER))


class TestComparison:
    def test_roles_that_fit_are_good(self) -> None:
        used = asked(event("get", "secrets", namespace="a", name="x"), event("create", "secrets", namespace="a"))
        given = [Right("", "secrets", "get", "a", "x"), Right("", "secrets", "create")]
        assert compare(given, used).good

    @pytest.mark.parametrize(
        "given",
        [
            Right("", "secrets", "get", "a", "other"),
            Right("", "secrets", "get", "other", "x"),
            Right("", "secrets", "list", "a", "x"),
            Right("", "configmaps", "get", "a", "x"),
            Right("apps", "secrets", "get", "a", "x"),
        ],
        ids=["name", "namespace", "verb", "resource", "group"],
    )
    def test_a_right_that_is_missing_and_one_that_is_unused_are_told(self, given: Right) -> None:
        found = compare([given], asked(event("get", "secrets", namespace="a", name="x")))
        assert list(found.missing) == [Right("", "secrets", "get", "a", "x")]
        assert list(found.unused) == [given]
        assert not found.good

    def test_a_right_for_one_name_is_not_one_for_a_list_of_all(self) -> None:
        found = compare([Right("", "secrets", "list", "a", "x")], asked(event("list", "secrets", namespace="a")))
        assert found.missing

    def test_a_refusal_is_a_right_that_is_missing(self) -> None:
        assert compare([], asked(event("get", "secrets", code=403))).missing

    def test_a_refused_dry_run_is_no_fault_unless_the_same_was_meant(self) -> None:
        rehearsed = event("create", "secrets", uri="/x?dryRun=All", code=403)
        assert compare([], asked(rehearsed)).good
        assert compare([], asked(rehearsed)).rehearsed
        assert not compare([], asked(rehearsed, event("create", "secrets"))).good

    def test_a_list_shows_that_a_watch_is_needed_and_nothing_else_does(self) -> None:
        watch = Right("", "pods", "watch", "a")
        listed = [Right("", "pods", "list", "a"), watch]
        assert compare(listed, asked(event("list", "pods", namespace="a"))).good, "its end came before the watch"
        assert compare([Right("", "pods", "get", "a"), watch], asked(event("get", "pods", namespace="a"))).unused == [
            watch
        ]

    def test_what_some_runs_need_may_be_unused_and_does_count(self) -> None:
        seldom = [Right("", "events", "list")]
        assert compare([], [], seldom).good
        assert compare([], asked(event("list", "events", namespace="a")), seldom).good


RIGHTS = st.builds(
    Right,
    st.sampled_from(["", "apps"]),
    st.sampled_from(["pods", "secrets", "pods/log"]),
    st.sampled_from(["get", "list", "create"]),
    st.just("a"),
    st.sampled_from(["", "x", "y"]),
)


@given(st.sets(RIGHTS))
def test_rules_that_are_computed_give_the_rights_that_they_are_computed_from(wanted: set[Right]) -> None:
    rules = as_rules(wanted)
    assert set(rights_of(rules, "a")) == wanted
    assert not [rule for rule in rules if "" in rule.get("resourceNames", [])], "it would be a name, not every name"


@pytest.mark.parametrize("part", ["apiGroups", "resources", "verbs"])
def test_a_rule_with_a_wildcard_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="wildcard"):
        list(rights_of([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], part: ["*"]}]))


class TestRoles:
    @pytest.mark.parametrize("identity", FILES)
    def test_no_rule_has_a_wildcard_or_a_way_around_rbac(self, identity: str) -> None:
        always, seldom = rights(roles(identity))  # a wildcard is refused here
        assert not {right.verb for right in always | seldom} & {"escalate", "bind", "impersonate"}

    @pytest.mark.parametrize("identity", ["preview", "drift"])
    def test_who_only_looks_writes_nothing(self, identity: str) -> None:
        always, seldom = rights(roles(identity))
        assert {right.verb for right in always | seldom} <= READS

    def test_a_pull_request_reads_no_secret(self) -> None:
        always, seldom = rights(roles("preview"))
        assert not [right for right in always | seldom if right.resource.startswith("secrets")]

    def test_drift_reads_the_certificates_secrets_by_name_and_helms_namespace(self) -> None:
        always, seldom = rights(roles("drift"))
        assert {right for right in always | seldom if right.resource == "secrets"} == {
            Right("", "secrets", "get", "istio-system", "istio-ingressgateway-certs"),
            Right("", "secrets", "get", "istio-system", "istio-ingressgateway-certs-cacert"),
            Right("", "secrets", "list", "cert-manager"),
            *(Right("", "secrets", "get", "istio-system", name) for name in EXTERNAL_ACCOUNTS),
        }

    def test_a_stack_that_does_not_install_cert_manager_has_no_other_namespaces_secrets(self) -> None:
        always, seldom = rights(roles("deploy", Place(installs=False)))
        secrets = {right for right in always | seldom if right.resource == "secrets"}
        assert {right for right in always if right in secrets} == {
            Right("", "secrets", "get", "istio-system", "istio-ingressgateway-certs")
        }
        assert {right.namespace for right in secrets} == {"istio-system"}, "cert-manager's are somebody else's"
        assert {right.name for right in secrets if right.verb != "create"} == {
            "istio-ingressgateway-certs",
            "istio-ingressgateway-certs-cacert",
            *EXTERNAL_ACCOUNTS,
        }
        assert not [right for right in always | seldom if right.resource in ("pods", "clusterroles")]
        assert not [right for right in always if right.resource == "deployments"]

    def test_every_role_and_binding_is_of_its_stack_and_identity(self) -> None:
        made = list(manifests("drift", "dev", USER))
        bound = {
            (each["roleRef"]["kind"], each["roleRef"]["name"], each["metadata"].get("namespace")) for each in made[1::2]
        }
        given = {(each["kind"], each["metadata"]["name"], each["metadata"].get("namespace")) for each in made[::2]}
        assert bound == given
        assert all(each["metadata"]["name"].endswith("-dev") for each in made), "another stack has its own"
        assert all(each["subjects"][0]["name"] == USER for each in made[1::2])

    def test_a_stacks_namespaces_and_names_are_its_configs(self) -> None:
        place = Place(("ingress/gateway",), "certs", ("a", "b"))
        of_drift = rights(roles("drift", place))[0]
        assert {right.namespace for right in of_drift} == {"", "ingress", "certs"}
        seldom = rights(roles("drift", replace(place, control_plane_namespace="istio", mesh_config="istio-blue")))[1]
        assert Right("", "configmaps", "get", "istio", "istio-blue") in seldom
        assert Right("apps", "deployments", "get", "ingress", "gateway") in seldom
        assert {right.name for right in of_drift if right.resource == "secrets" and right.verb == "get"} == {"a", "b"}
        assert Right("", "services", "list", "ingress", "gateway") in of_drift
        assert Right("", "namespaces", "delete", name="certs") in rights(roles("deploy", place))[0]

    def test_the_namespaces_are_renamed_even_when_they_change_places(self) -> None:
        swapped = rights(
            roles("drift", Place(("cert-manager/istio-ingressgateway",), cert_manager_namespace="istio-system"))
        )[0]
        assert Right("", "secrets", "list", "istio-system") in swapped
        assert Right("", "services", "list", "cert-manager", "istio-ingressgateway") in swapped

    def test_each_gateways_namespace_has_its_own(self) -> None:
        of_drift = rights(roles("drift", Place(("istio-system/a", "istio-system/b", "internal/c"))))[0]
        services = {(right.namespace, right.name) for right in of_drift if right.resource == "services"}
        assert services == {("istio-system", "a"), ("istio-system", "b"), ("internal", "c")}


class TestCommand:
    @pytest.fixture
    def log(self, tmp_path: Path) -> Path:
        events = [
            event("get", "gateways", apiGroup="networking.istio.io", namespace="istio-system", name="a"),
            event("create", "secrets", namespace="a", uri="/x?dryRun=All", code=403),
        ]
        file = tmp_path / "audit.log"
        file.write_text("".join(f"{json.dumps(each)}\n" for each in events))
        return file

    def test_manifests_are_what_kubectl_takes(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["manifests", "--stack", "dev", "--project", "platform", "--identity", "deploy"]) == 0
        printed = list(yaml.safe_load_all(capsys.readouterr().out))
        assert printed == list(manifests("deploy", "dev", USER))

    def test_rules_are_computed_from_a_log(self, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["rules", str(log), "--user", USER]) == 0
        printed = capsys.readouterr().out
        assert printed.startswith("# in istio-system\n")
        assert yaml.safe_load(printed) == [
            {"apiGroups": ["networking.istio.io"], "resources": ["gateways"], "resourceNames": ["a"], "verbs": ["get"]}
        ], "without what was only rehearsed"

    def test_an_identity_is_compared_with_a_log(self, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["compare", str(log), "--user", USER, "--identity", "preview"]) == 1
        printed = capsys.readouterr().out
        assert "missing" not in printed
        assert "  list services istio-ingressgateway in istio-system" in printed.split("unused")[1]
        assert "  create secrets in a" in printed.split("refused dry runs")[1]

    def test_a_log_without_the_user_proves_nothing(self, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["compare", str(log), "--user", "somebody", "--identity", "preview"]) == 2
        assert "nothing that somebody did" in capsys.readouterr().err
