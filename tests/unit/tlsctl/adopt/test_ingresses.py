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
    inventory,
    issuer,
    notes,
    obj,
    record,
    route,
)
from tlsctl.adopt.decisions import Decision, decide
from tlsctl.adopt.ingress_removal import release_from_owners

BLOG = "blog.acme.dev"
NEWS = "news.acme.dev"
ELSEWHERE = "198.51.100.7"
TLS = "blog-tls"
"""A Secret."""
NGINX = "nginx.ingress.kubernetes.io"
BY_ISSUER = {"cert-manager.io/cluster-issuer": "letsencrypt"}


def path(prefix: str = "/", service: str = "blog", port: Any = 8080, kind: str = "Prefix") -> dict[str, Any]:
    named = {"number": port} if isinstance(port, int) else {"name": port}
    return {"path": prefix, "pathType": kind, "backend": {"service": {"name": service, "port": named}}}


def ingress(name: str = "blog", *hosts: str, paths: Any = None, secret: str = TLS, **more: Any) -> dict[str, Any]:
    """An Ingress of the namespace blog; `tls` says which of its hosts have TLS, if not all."""
    named = list(hosts or [BLOG])
    spec = {
        "ingressClassName": "nginx",
        "tls": [{"hosts": more.pop("tls", named), "secretName": secret}],
        "rules": [{"host": host, "http": {"paths": paths or [path()]}} for host in named],
        **more.pop("spec", {}),
    }
    return obj("Ingress", name, spec, more.pop("namespace", "blog"), annotations=dict(BY_ISSUER), **more)


def annotated(**annotations: str) -> dict[str, Any]:
    given = ingress()
    given["metadata"]["annotations"] |= {f"{NGINX}/{name.replace('_', '-')}": v for name, v in annotations.items()}
    return given


def owned(*hosts: str, by: str = "blog", secret: str = TLS, namespace: str = "blog") -> dict[str, Any]:
    """The Certificate that the ingress-shim makes for an Ingress."""
    of = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": by, "uid": f"uid-{by}", "controller": True}
    made = certificate(secret, *(hosts or [BLOG]), issuerRef={"name": "letsencrypt", "kind": "ClusterIssuer"})
    made["metadata"] |= {"namespace": namespace, "ownerReferences": [of]}
    return made


def by_nginx(**acme: Any) -> dict[str, Any]:
    solvers = [{"http01": {"ingress": {"ingressClassName": "nginx"}}}]
    given = {"server": PROD, "email": "platform@acme.dev", "solvers": solvers, **acme}
    return obj("ClusterIssuer", "letsencrypt", {"acme": given}, namespace=None)


def moving(*ingresses: dict[str, Any], challenge: str = "dns01", **changed: Any) -> Decision:
    """A cluster in which ingress-nginx serves everything, and the gateway nothing."""
    records = [record(BLOG, ELSEWHERE, ttl=120), record(NEWS, ELSEWHERE, ttl=300)]
    given: dict[str, Any] = {
        "issuers": [by_nginx()],
        "certificates": [owned()],
        "gateways": [],
        "virtual_services": [],
        "ingresses": list(ingresses) or [ingress()],
        "record_sets": records,
    }
    return decide(inventory(**{**given, **changed}), "prod", challenge)


def hosts(decision: Decision) -> list[str]:
    return [each["host"] for each in decision.config["hosts"]]


def test_an_ingress_goes_when_resolvers_have_forgotten_its_address_and_its_secret_after_its_certificate() -> None:
    decision = moving()

    assert decision.config["hosts"] == [{"host": BLOG, "service": "blog", "namespace": "blog", "port": 8080}]
    assert (decision.elsewhere, decision.address) == ([BLOG], ADDRESS)
    assert commands(decision) == [
        "sleep 120",
        "kubectl --namespace blog delete ingress blog --cascade=foreground",
        "kubectl --namespace blog delete secret blog-tls --ignore-not-found",
        "kubectl delete clusterissuer letsencrypt",
    ], "while there is a Certificate, its Secret would be signed anew; and the issuer is not needed after it"
    assert "ingress" not in decision.config, "the class nginx says nothing of how Istio's is named"


def test_access_to_the_zone_is_asked_for_where_names_were_not_proven_there() -> None:
    (access,) = moving().before_notes

    assert access.fix == ("pulumi config set --path dns.workloadIdentity true",)
    solvers = [{"dns01": {"cloudDNS": {"project": "project"}}}]
    assert moving(issuers=[by_nginx(solvers=solvers)]).before_notes == [], "it has the access already"
    assert moving(challenge="http01").before_notes == []


def test_that_old_certificates_cannot_be_renewed_is_told() -> None:
    told = notes(moving())

    assert "Certificate blog/blog-tls is proven by HTTP-01 at Ingresses of the class nginx" in told
    assert f"cannot be renewed once the records of {BLOG} lead to the gateway. It is removed after the `up`" in told
    both = [{"http01": {"ingress": {"class": "nginx"}}}, {"dns01": {"cloudDNS": {}}}]
    assert "cannot be renewed" not in notes(moving(issuers=[by_nginx(solvers=both)])), "there is another way"
    over_istio = [{"http01": {"ingress": {"class": "istio"}}}]
    assert "cannot be renewed" not in notes(moving(issuers=[by_nginx(solvers=over_istio)])), "the gateway answers those"


def test_an_ingress_with_a_host_that_stays_is_not_deleted() -> None:
    outside = "blog.other.dev"
    decision = moving(ingress("blog", BLOG, outside), certificates=[owned(BLOG, outside)])

    assert commands(decision) == ["sleep 120", "kubectl --namespace blog edit ingress blog"]
    assert f"has {outside} too, and stays: remove {BLOG} from its rules and its tls" in decision.after[1].what
    assert f"Remove them from it soon after the `up`, so that {outside} can be" in notes(decision)


@pytest.mark.parametrize(
    "more",
    [
        {"tls": [BLOG], "hosts": (BLOG, NEWS)},
        {"spec": {"defaultBackend": {"service": {"name": "blog"}}}},
        {"spec": {"rules": [{"host": BLOG, "http": {"paths": [path()]}}, {"http": {"paths": [path()]}}]}},
    ],
    ids=["a host without TLS", "a default backend", "a rule for all hosts"],
)
def test_what_an_ingress_serves_beside_tls_keeps_it(more: dict[str, Any]) -> None:
    named = more.pop("hosts", (BLOG,))
    decision = moving(ingress("blog", *named, **more))

    assert hosts(decision) == [BLOG]
    assert commands(decision) == ["sleep 120", "kubectl --namespace blog edit ingress blog"]


def test_the_paths_of_all_ingresses_of_a_host_are_taken_over() -> None:
    second = ingress("blog-api", paths=[path("/api/", "api", 80)])
    decision = moving(ingress(), second)

    assert decision.config["hosts"][0]["routes"] == [
        {"path": "/api", "service": "api", "namespace": "blog", "port": 80},
        {"path": "/", "service": "blog", "namespace": "blog", "port": 8080},
    ], "the longest first; and a last slash means nothing to Kubernetes"
    assert [each for each in commands(decision) if "ingress" in each] == [
        "kubectl --namespace blog delete ingress blog --cascade=foreground",
        "kubectl --namespace blog delete ingress blog-api --cascade=foreground",
    ]
    assert "has /api as a path of whole elements" in notes(decision), "at the gateway /apis is under it"


def test_a_host_stays_if_one_of_its_ingresses_has_what_the_config_does_not_know() -> None:
    odd = annotated(rewrite_target="/$1")
    odd["metadata"]["name"] = "odd"
    decision = moving(ingress(), odd)

    assert hosts(decision) == []
    assert f"{BLOG} stays as it is: Ingress blog/odd has the annotation {NGINX}/rewrite-target" in notes(decision)
    assert commands(decision) == [], "neither goes"


def test_a_host_with_ingresses_of_two_classes_stays() -> None:
    assert hosts(moving(ingress(), ingress("other", spec={"ingressClassName": "gce"}))) == []


@pytest.mark.parametrize(
    ("annotations", "taken"),
    [
        ({"ssl_redirect": "true", "force_ssl_redirect": "true", "backend_protocol": "http"}, True),
        ({"proxy_read_timeout": "3600", "proxy_buffering": "off"}, True),
        ({"ssl_redirect": "false"}, False),
        ({"backend_protocol": "GRPC"}, False),
        ({"whitelist_source_range": "10.0.0.0/8"}, False),
        ({"auth_url": "https://auth.acme.dev"}, False),
    ],
)
def test_annotations_that_change_requests_leave_the_host(annotations: dict[str, str], taken: bool) -> None:
    assert hosts(moving(annotated(**annotations))) == ([BLOG] if taken else [])


def test_the_annotations_of_another_nginx_count_as_well() -> None:
    other = ingress()
    other["metadata"]["annotations"]["nginx.org/rewrites"] = "serviceName=blog rewrite=/"

    assert hosts(moving(other)) == []


def test_a_limit_that_the_gateway_does_not_have_is_told() -> None:
    decision = moving(annotated(proxy_body_size="8m"))

    assert hosts(decision) == [BLOG]
    assert f"Ingress blog/blog has the limit proxy-body-size for {BLOG}" in notes(decision)


def test_a_challenge_that_is_in_the_ingress_itself_is_no_route() -> None:
    """cert-manager writes it there with `acme.cert-manager.io/http01-edit-in-place`."""
    challenge = path("/.well-known/acme-challenge/token", "cm-acme-http-solver-x7k2p", 8089, "Exact")
    decision = moving(ingress(paths=[challenge, path()]))

    assert decision.config["hosts"] == [{"host": BLOG, "service": "blog", "namespace": "blog", "port": 8080}]


def test_the_ingress_of_a_challenge_is_none() -> None:
    solver = ingress("cm-acme-http-solver-x7k2p", labels={"acme.cert-manager.io/http01-solver": "true"})

    assert hosts(moving(solver)) == []


def test_a_wildcard_stands_for_the_rules_that_it_covers() -> None:
    decision = moving(ingress("blog", BLOG, NEWS, tls=["*.acme.dev"]))

    assert hosts(decision) == [BLOG, NEWS]
    assert "kubectl --namespace blog delete ingress blog --cascade=foreground" in commands(decision)


def test_an_ingress_that_stays_keeps_the_issuer_and_the_secret() -> None:
    stays = annotated(auth_url="https://auth.acme.dev")
    stays["metadata"]["name"] = "stays"
    stays["spec"]["rules"][0]["host"] = stays["spec"]["tls"][0]["hosts"][0] = NEWS
    decision = moving(ingress(), stays)

    assert commands(decision) == [
        "sleep 120",
        "kubectl --namespace blog delete ingress blog --cascade=foreground",
        "kubectl --namespace blog annotate ingress stays istio-gateway-tls/certificate=blog-tls",
    ], "the Secret is shared, and its Certificate goes with the other one: cert-manager makes another"
    assert "presents the Secret blog-tls, whose Certificate is deleted with another Ingress" in decision.after[-1].what


def test_an_issuer_of_the_namespace_goes_with_its_last_ingress_alone() -> None:
    own = by_nginx() | {"kind": "Issuer"}
    own["metadata"] = {"name": "letsencrypt", "namespace": "blog"}
    made = owned()
    made["spec"]["issuerRef"] = {"name": "letsencrypt", "kind": "Issuer"}
    one = ingress()
    one["metadata"]["annotations"] = {"cert-manager.io/issuer": "letsencrypt"}
    decision = moving(one, issuers=[own], certificates=[made])

    assert commands(decision)[-1] == "kubectl --namespace blog delete issuer letsencrypt"
    assert "issuerKind" not in decision.config["acme"], "an Issuer of the stack is in the gateway's namespace"

    stays = ingress("stays", "stays.other.dev", secret="stays-tls")
    stays["metadata"]["annotations"] = {"cert-manager.io/issuer": "letsencrypt"}
    assert not any("issuer" in each for each in commands(moving(one, stays, issuers=[own], certificates=[made])))
    elsewhere = stays | {"metadata": {**stays["metadata"], "namespace": "other"}}
    kept = moving(one, elsewhere, issuers=[own], certificates=[made])
    assert commands(kept)[-1].endswith("delete issuer letsencrypt"), "that one asks for an Issuer of its own namespace"


def test_a_certificate_by_hand_for_an_ingress_goes_before_its_secret() -> None:
    by_hand = owned()
    del by_hand["metadata"]["ownerReferences"]

    assert commands(moving(certificates=[by_hand]))[1:4] == [
        "kubectl --namespace blog delete ingress blog --cascade=foreground",
        "kubectl --namespace blog delete certificates.cert-manager.io blog-tls",
        "kubectl --namespace blog delete secret blog-tls --ignore-not-found",
    ]


def test_the_gateways_own_certificate_is_kept_when_its_ingress_goes() -> None:
    """An Ingress beside the gateway, by which a team has had the gateway's Certificate made."""
    beside = ingress("edge", SHOP, secret=CERTIFICATE, namespace=ISTIO)
    made = owned(SHOP, by="edge", secret=CERTIFICATE, namespace=ISTIO)
    decision = decide(inventory(ingresses=[beside], certificates=[made], issuers=[issuer(), by_nginx()]), "prod")

    assert f"kubectl --namespace {ISTIO} delete ingress edge --cascade=foreground" in commands(decision)
    assert not any("secret" in each or "certificate" in each for each in commands(decision)), "the stack has them"


def test_what_is_taken_over_is_let_go_by_its_owner_first() -> None:
    problem = release_from_owners(owned(SHOP, by="edge", secret=CERTIFICATE, namespace=ISTIO))

    assert problem is not None
    assert (problem.where, problem.what) == (
        f"Certificate {ISTIO}/{CERTIFICATE}",
        "is deleted with Ingress edge, which owns it",
    )
    patch = (
        '[{"op":"test","path":"/metadata/ownerReferences/0/uid","value":"uid-edge"},'
        '{"op":"remove","path":"/metadata/ownerReferences"}]'
    )
    assert problem.fix == (
        f"kubectl --namespace {ISTIO} patch certificates.cert-manager.io {CERTIFICATE} --type json --patch '{patch}'",
    )
    assert release_from_owners(certificate()) is None, "nobody owns it"


def test_certificates_of_ingresses_at_the_gateway_are_not_deleted_before_them() -> None:
    other = owned(SHOP, by="edge", secret="edge-tls", namespace=ISTIO)
    beside = ingress("edge", SHOP, "stays.other.dev", secret="edge-tls", namespace=ISTIO)
    decision = decide(
        inventory(
            ingresses=[beside],
            certificates=[certificate(CERTIFICATE, SHOP, NEWS), other],
            gateways=[gateway(), gateway("edge", NEWS, secret="edge-tls")],
            virtual_services=[route(), route("news", NEWS, on="edge")],
        ),
        "prod",
    )

    assert not any("certificate" in each for each in commands(decision)), "its Ingress would have it made anew"


def test_a_cname_becomes_an_a_record_in_one_change_before_all_else() -> None:
    led = {"name": f"{BLOG}.", "type": "CNAME", "ttl": 60, "rrdatas": ["nginx.acme.net."]}
    decision = moving(record_sets=[led])

    (told,) = [each for each in decision.notes if each.where == f"record set {BLOG}. CNAME"]
    assert told.fix == (
        "gcloud dns record-sets transaction start --zone acme",
        f"gcloud dns record-sets transaction remove --zone acme --name {BLOG}. --ttl 60 --type CNAME nginx.acme.net.",
        f"gcloud dns record-sets transaction add --zone acme --name {BLOG}. --ttl 60 --type A ADDRESS",
        "gcloud dns record-sets transaction execute --zone acme",
        "uv run python -m tlsctl adopt",
    )
