"""What becomes of Ingresses and of the Certificates that cert-manager has made for them."""

from typing import Any

import pytest

from tests.unit.tlsctl.adopt.objects import (
    ADDRESS,
    CERTIFICATE,
    ISTIO,
    PROD,
    SHOP,
    certificate,
    commands,
    gateway,
    hosts,
    inventory,
    notes,
    obj,
    record,
    route,
)
from tlsctl.adopt.decisions import Decision, decide

BLOG, NEWS, OUTSIDE = "blog.acme.dev", "news.acme.dev", "blog.other.dev"
ELSEWHERE = "198.51.100.7"
SECRET = "blog-tls"
NGINX = "nginx.ingress.kubernetes.io"
REFERENCE = {"name": "letsencrypt", "kind": "ClusterIssuer"}

WAIT = "sleep 120"
DELETE = "kubectl --namespace blog delete ingress blog --cascade=foreground"
EDIT = "kubectl --namespace blog edit ingress blog"
DELETE_SECRET = f"kubectl --namespace blog delete secret {SECRET} --ignore-not-found"
ONE_HOST = [{"host": BLOG, "service": "blog", "namespace": "blog", "port": 8080}]


def path(prefix: str = "/", service: str = "blog", port: int = 8080, kind: str = "Prefix") -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": port}}}
    return {"path": prefix, "pathType": kind, "backend": backend}


def ingress(name: str = "blog", *hosts: str, paths: Any = None, secret: str = SECRET, **more: Any) -> dict[str, Any]:
    """An Ingress of the namespace blog; `tls` lists the hosts with TLS, if not all have it."""
    names = list(hosts or [BLOG])
    spec = {
        "ingressClassName": "nginx",
        "tls": [{"hosts": more.pop("tls", names), "secretName": secret}],
        "rules": [{"host": host, "http": {"paths": paths or [path()]}} for host in names],
        **more.pop("spec", {}),
    }
    annotations = more.pop("annotations", {"cert-manager.io/cluster-issuer": "letsencrypt"})
    return obj("Ingress", name, spec, more.pop("namespace", "blog"), annotations=annotations, **more)


def annotated(name: str = "blog", *hosts: str, prefix: str = NGINX, **annotations: str) -> dict[str, Any]:
    full = {f"{prefix}/{short.replace('_', '-')}": value for short, value in annotations.items()}
    return ingress(name, *hosts, annotations={"cert-manager.io/cluster-issuer": "letsencrypt", **full})


def owned(*hosts: str, by: str = "blog", secret: str = SECRET, namespace: str = "blog") -> dict[str, Any]:
    """The Certificate that cert-manager makes for an Ingress."""
    owner = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "name": by,
        "uid": f"uid-{by}",
        "controller": True,
    }
    made = certificate(secret, *(hosts or [BLOG]), issuerRef=REFERENCE)
    made["metadata"] |= {"namespace": namespace, "ownerReferences": [owner]}
    return made


def nginx_issuer(*solvers: dict[str, Any]) -> dict[str, Any]:
    used = list(solvers) or [{"http01": {"ingress": {"ingressClassName": "nginx"}}}]
    return obj("ClusterIssuer", "letsencrypt", {"acme": {"server": PROD, "solvers": used}}, namespace=None)


def moving(*ingresses: dict[str, Any], challenge: str = "dns01", **changed: Any) -> Decision:
    """A cluster in which ingress-nginx serves everything, and the gateway nothing."""
    fields: dict[str, Any] = {
        "issuers": [nginx_issuer()],
        "certificates": [owned()],
        "gateways": [],
        "virtual_services": [],
        "ingresses": list(ingresses) or [ingress()],
        "record_sets": [record(BLOG, ELSEWHERE, ttl=120), record(NEWS, ELSEWHERE, ttl=300)],
    }
    return decide(inventory(**{**fields, **changed}), "prod", challenge)


def test_an_ingress_is_deleted_after_resolvers_know_the_new_address() -> None:
    decision = moving()
    assert decision.config["hosts"] == ONE_HOST
    assert (decision.elsewhere, decision.address) == ([BLOG], ADDRESS)
    assert commands(decision) == [WAIT, DELETE, DELETE_SECRET, "kubectl delete clusterissuer letsencrypt"]
    assert "ingress" not in decision.config, "the class nginx does not affect how Istio's is named"


def test_access_to_the_zone_is_requested_if_names_were_not_proven_there() -> None:
    (access,) = moving().before_notes
    assert access.fix == ("pulumi config set --path dns.workloadIdentity true",)
    assert moving(issuers=[nginx_issuer({"dns01": {"cloudDNS": {"project": "project"}}})]).before_notes == []
    assert moving(challenge="http01").before_notes == []


def test_certificates_that_cannot_be_renewed_are_noted() -> None:
    assert "cannot be renewed" in notes(moving())
    both = nginx_issuer({"http01": {"ingress": {"class": "nginx"}}}, {"dns01": {"cloudDNS": {}}})
    assert "cannot be renewed" not in notes(moving(issuers=[both])), "there is another way"
    at_the_gateway = nginx_issuer({"http01": {"ingress": {"class": "istio"}}})
    assert "cannot be renewed" not in notes(moving(issuers=[at_the_gateway]))


def test_an_ingress_with_a_host_that_stays_is_edited() -> None:
    decision = moving(ingress("blog", BLOG, OUTSIDE), certificates=[owned(BLOG, OUTSIDE)])
    assert commands(decision) == [WAIT, EDIT]
    assert f"has {OUTSIDE} too, and stays: remove {BLOG} from its rules and its tls" in decision.after[1].what
    assert f"Remove them from it soon after the `up`, so that {OUTSIDE} can be" in notes(decision)


@pytest.mark.parametrize(
    "beside_tls",
    [
        pytest.param(ingress("blog", BLOG, NEWS, tls=[BLOG]), id="a host without TLS"),
        pytest.param(ingress(spec={"defaultBackend": {"service": {"name": "blog"}}}), id="a default backend"),
        pytest.param(
            ingress(spec={"rules": [{"host": BLOG, "http": {"paths": [path()]}}, {"http": {"paths": [path()]}}]}),
            id="a rule for all hosts",
        ),
    ],
)
def test_an_ingress_that_serves_more_than_tls_is_edited(beside_tls: dict[str, Any]) -> None:
    decision = moving(beside_tls)
    assert hosts(decision) == [BLOG]
    assert commands(decision) == [WAIT, EDIT]


def test_the_paths_of_all_ingresses_of_a_host_are_taken_over() -> None:
    decision = moving(ingress(), ingress("blog-api", paths=[path("/api/", "api", 80)]))
    assert decision.config["hosts"][0]["routes"] == [
        {"path": "/api", "service": "api", "namespace": "blog", "port": 80},
        {"path": "/", "service": "blog", "namespace": "blog", "port": 8080},
    ], "the longest first; Kubernetes ignores the last slash"
    second = "kubectl --namespace blog delete ingress blog-api --cascade=foreground"
    assert [command for command in commands(decision) if "ingress" in command] == [DELETE, second]
    assert "has /api as a path of whole elements" in notes(decision), "the gateway also matches /apis"


@pytest.mark.parametrize(
    ("annotations", "accepted"),
    [
        ({"ssl_redirect": "true", "force_ssl_redirect": "true", "backend_protocol": "http"}, True),
        ({"proxy_read_timeout": "3600", "proxy_buffering": "off"}, True),
        ({"ssl_redirect": "false"}, False),
        ({"backend_protocol": "GRPC"}, False),
        ({"whitelist_source_range": "10.0.0.0/8"}, False),
        ({"auth_url": "https://auth.acme.dev"}, False),
        ({"prefix": "nginx.org", "rewrites": "serviceName=blog rewrite=/"}, False),
    ],
)
def test_a_host_stays_if_annotations_change_requests(annotations: dict[str, str], accepted: bool) -> None:
    assert hosts(moving(annotated(**annotations))) == ([BLOG] if accepted else [])


@pytest.mark.parametrize(
    ("first", "target", "written"),
    [
        ("/x(/|$)(.*)", "/$2", [{"regex": "(?i)/x(/|$)(.*)", "rewrite": r"/\2"}]),
        ("/x", "/", [{"regex": "(?i)/x.*", "rewrite": "/"}]),
        ("/x/[0-9]+$", "", [{"regex": "(?i)/x/[0-9]+"}]),
        ("/", "", [{}]),
        ("/x(?=a)", "", None),
        ("/x", "/$1", None),
        ("/x", "/$request_uri", None),
        ("/x", "https://other.dev/", None),
        ("/x|/y", "", None),
    ],
)
def test_paths_that_nginx_reads_as_regular_expressions_are_taken_over_with_their_rewrite(
    first: str, target: str, written: list[dict[str, str]] | None
) -> None:
    annotations = {"use_regex": "true", **({"rewrite_target": target} if target else {})}
    one = annotated(**annotations)
    one["spec"]["rules"][0]["http"]["paths"] = [path(first, "blog", 8080, "ImplementationSpecific")]
    to = {"service": "blog", "namespace": "blog", "port": 8080}
    expected = [] if written is None else [{"host": BLOG, **written[0], **to}]
    assert moving(one).config["hosts"] == expected


def test_a_host_stays_if_its_expressions_would_be_tried_in_another_order() -> None:
    one = annotated(use_regex="true")
    paths = [path(first, "blog", 8080, "ImplementationSpecific") for first in ("/ab(.*)", "/abcde")]
    one["spec"]["rules"][0]["http"]["paths"] = paths
    assert hosts(moving(one)) == []


def test_every_path_of_a_host_is_an_expression_if_one_is() -> None:
    other = ingress("blog-api", paths=[path("/api", "api", 80), path("/", "blog", 8080)])
    one = annotated(rewrite_target="/$1")
    one["spec"]["rules"][0]["http"]["paths"] = [path("/v(.*)", "blog", 8080, "ImplementationSpecific")]
    to = {"namespace": "blog"}
    assert moving(one, other).config["hosts"][0]["routes"] == [
        {"regex": "(?i)/v(.*)", "rewrite": r"/\1", "service": "blog", "port": 8080, **to},
        {"regex": "(?i)/api.*", "service": "api", "port": 80, **to},
        {"path": "/", "service": "blog", "port": 8080, **to},
    ]


@pytest.mark.parametrize(
    ("weight", "of_path", "accepted"),
    [("20", "/", True), ("0", "/", False), ("100", "/", False), ("", "/", False), ("20", "/new", False)],
)
def test_a_canary_gets_its_share_of_the_route_with_its_path(weight: str, of_path: str, accepted: bool) -> None:
    canary = annotated("next", canary="true", **({"canary_weight": weight} if weight else {}))
    canary["spec"]["rules"][0]["http"]["paths"] = [path(of_path, "next", 80)]
    share = {"service": "next", "namespace": "blog", "port": 80, "weight": 20}
    route = {"path": "/", "service": "blog", "namespace": "blog", "port": 8080, "canary": share}
    assert moving(ingress(), canary).config["hosts"] == ([{"host": BLOG, "routes": [route]}] if accepted else [])


def test_pages_of_other_origins_may_request_what_nginx_lets_them() -> None:
    one = annotated(
        enable_cors="true", cors_allow_origin="https://a.dev, https://B.dev:8443", cors_allow_methods="PUT",
        cors_allow_headers="X-A", cors_expose_headers="X-B",
    )  # fmt: skip
    (route,) = moving(one).config["hosts"][0]["routes"]
    assert route["cors"] == {
        "allowOrigins": ["https://a.dev", "https://b.dev:8443"], "allowMethods": ["PUT"], "allowHeaders": ["x-a"],
        "exposeHeaders": ["x-b"], "allowCredentials": True, "maxAge": 86400,
    }  # fmt: skip
    (route,) = moving(annotated(enable_cors="true")).config["hosts"][0]["routes"]
    assert (route["cors"]["allowOrigins"], "allowCredentials" in route["cors"]) == (["*"], False)
    assert hosts(moving(annotated(enable_cors="true", cors_allow_origin="https://*.a.dev"))) == []
    assert "cors" not in moving(annotated(enable_cors="false", cors_allow_origin="a")).config["hosts"][0]


def test_an_exact_path_is_taken_over() -> None:
    decision = moving(ingress(paths=[path("/new", "api", 80, "Exact"), path()]))
    assert decision.config["hosts"][0]["routes"] == [
        {"exact": "/new", "service": "api", "namespace": "blog", "port": 80},
        {"path": "/", "service": "blog", "namespace": "blog", "port": 8080},
    ]


def test_a_host_stays_if_its_ingresses_are_of_two_classes() -> None:
    assert hosts(moving(ingress(), ingress("other", spec={"ingressClassName": "gce"}))) == []


def test_a_limit_that_the_gateway_does_not_have_is_noted() -> None:
    decision = moving(annotated(proxy_body_size="8m"))
    assert hosts(decision) == [BLOG]
    assert f"Ingress blog/blog has the limit proxy-body-size for {BLOG}" in notes(decision)


def test_challenges_are_no_routes() -> None:
    """With `acme.cert-manager.io/http01-edit-in-place`, cert-manager adds them to the Ingress itself."""
    challenge = path("/.well-known/acme-challenge/token", "cm-acme-http-solver-x7k2p", 8089, "Exact")
    assert moving(ingress(paths=[challenge, path()])).config["hosts"] == ONE_HOST
    solver = ingress("cm-acme-http-solver-x7k2p", labels={"acme.cert-manager.io/http01-solver": "true"})
    assert hosts(moving(solver)) == []


def test_a_wildcard_stands_for_the_rules_that_it_covers() -> None:
    decision = moving(ingress("blog", BLOG, NEWS, tls=["*.acme.dev"]))
    assert hosts(decision) == [BLOG, NEWS]
    assert DELETE in commands(decision)


def test_an_issuer_of_the_namespace_is_deleted_after_its_last_ingress() -> None:
    own = nginx_issuer() | {"kind": "Issuer", "metadata": {"name": "letsencrypt", "namespace": "blog"}}
    made, annotation = owned(), {"cert-manager.io/issuer": "letsencrypt"}
    made["spec"]["issuerRef"] = {"name": "letsencrypt", "kind": "Issuer"}
    first = ingress(annotations=annotation)
    delete = "kubectl --namespace blog delete issuer letsencrypt"
    decision = moving(first, issuers=[own], certificates=[made])
    assert commands(decision)[-1] == delete
    assert "issuerKind" not in decision.config["acme"], "an Issuer of the stack is in the gateway's namespace"
    for namespace, deleted in (("blog", False), ("other", True)):
        stays = ingress("stays", OUTSIDE, secret="stays-tls", namespace=namespace, annotations=annotation)
        kept = moving(first, stays, issuers=[own], certificates=[made])
        assert (delete in commands(kept)) is deleted, "an Ingress uses an Issuer of its own namespace"


def test_a_certificate_by_hand_for_an_ingress_is_deleted_before_its_secret() -> None:
    by_hand = owned()
    del by_hand["metadata"]["ownerReferences"]
    delete = f"kubectl --namespace blog delete certificates.cert-manager.io {SECRET}"
    assert commands(moving(certificates=[by_hand]))[1:4] == [DELETE, delete, DELETE_SECRET]


def test_a_certificate_of_an_ingress_at_the_gateway_is_not_deleted_before_its_ingress() -> None:
    objects = inventory(
        ingresses=[ingress("edge", SHOP, "stays.other.dev", secret="edge-tls", namespace=ISTIO)],
        certificates=[
            certificate(CERTIFICATE, SHOP, NEWS),
            owned(SHOP, by="edge", secret="edge-tls", namespace=ISTIO),
        ],
        gateways=[gateway(), gateway("edge", NEWS, secret="edge-tls")],
        virtual_services=[route(), route("news", NEWS, on="edge")],
    )
    after = commands(decide(objects, "prod"))
    assert not any("certificate" in command for command in after), "cert-manager would make it again for its Ingress"
