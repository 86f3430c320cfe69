"""What the surroundings would defeat: an example of each check, and what is in nobody's way."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from components import preflight
from components.kube import mesh, neighbours
from components.kube.credentials import Credentials
from components.preflight.cert_manager import Place
from components.preflight.mesh import PATH, Mesh
from components.preflight.neighbours import Neighbours, Pods
from components.preflight.records import Zone
from components.preflight.service import Wanted
from components.problem import Problem
from config.cluster import ingress_commands
from tests.unit.api_server import Api

HOST, ELSEWHERE, OURS = "shop.a.test", "192.0.2.7", "192.0.2.1"
PODS = {"istio": "edge"}
PUBLIC = Wanted(public_ca=True, commands=ingress_commands())


def gateway(ip: str = OURS, ports: Any = (80, 443), annotations: Any = None, **spec: Any) -> dict[str, Any]:
    """Return the gateway's Service."""
    return {
        "metadata": {"name": "gateway", "namespace": "edge", "annotations": annotations},
        "spec": {"type": "LoadBalancer", "ports": [{"port": port} for port in ports], "selector": PODS, **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": ip}]}},
    }


def zone(**records: list[str]) -> Zone:
    """Return a zone in which the host has records of these types."""
    at_host = {(HOST, kind): values for kind, values in records.items()}
    return Zone("zone-a", records=at_host, commands={"take_over": "pulumi config set --path dns.takeOver"})


ZONE = Zone("zone-a", records={("a.test", "NS"): ["NS1.cloud.test."], ("a.test", "SOA"): ["ns1.cloud.test. …"]})
"""A zone without other records than those that Cloud DNS makes."""


def policy(**spec: Any) -> dict[str, Any]:
    """Return an AuthorizationPolicy of the gateway's namespace."""
    return {"metadata": {"namespace": "edge", "name": "office"}, "spec": spec}


def theirs(port: int, selector: Any = PODS, hosts: Any = (f"./{HOST}",), **tls: Any) -> dict[str, Any]:
    """Return a Gateway of another team."""
    server = {"port": {"number": port}, "hosts": list(hosts), "tls": tls}
    return {"metadata": {"namespace": "team", "name": "web"}, "spec": {"selector": selector, "servers": [server]}}


def beside(*others: Any, host: str = HOST, **more: Any) -> Neighbours:
    """Return the Gateways of others beside a Gateway `http` that is to serve a host."""
    return Neighbours(Pods("edge", "gateway", PODS), "http", [host], others, **more)


EXAMPLES: Mapping[str, tuple[tuple[Any, ...], str, str]] = {
    "type": ((gateway(type="ClusterIP"), Wanted()), "is of type ClusterIP", "patch service gateway"),
    "port": ((gateway(ports=[80]), Wanted()), "has no port 443", '"port":443'),
    "address": ((gateway(ip="2001:db8::1"), Wanted()), "has only the IPv6 address 2001:db8::1", "ipFamilies"),
    "selector": (
        (gateway(), Wanted(selector={"istio": "front"}, commands=ingress_commands(labels=["istio"]))),
        "leads to the Pods with istio=edge, and the Gateways are for those with istio=front",
        "pulumi config set --path ingress.selector.istio edge",
    ),
    "unreachable": (
        (gateway(ip="10.0.0.9"), PUBLIC),
        "has the address 10.0.0.9, which the internet does not route",
        "pulumi config set challenge dns01",
    ),
    "cname": ((zone(CNAME=["lb.a.test."]), (HOST, "AAAA"), [OURS]), "is a CNAME of lb.a.test.", "AAAA ADDRESS"),
    "zone": (
        (replace(ZONE, delegated_to={"ns1.registrar.test"}), (HOST, "A"), [OURS]),
        "is not asked for a.test, which has ns1.registrar.test in DNS",
        "gcloud dns managed-zones describe zone-a --format 'value(nameServers)'",
    ),
    "cut": (
        (replace(ZONE, records={**ZONE.records, (HOST, "NS"): ["ns1.shop.test."]}), (f"www.{HOST}", "A"), [OURS]),
        f"NS records lead {HOST} and the names below it to ns1.shop.test.",
        f"gcloud dns record-sets delete {HOST}. --zone zone-a --type NS",
    ),
    "delegation": (
        (zone(TXT=["proof"]), (HOST, "CNAME"), ["x."]),
        "has records of the type TXT",
        "delete shop.a.test. --zone zone-a",
    ),
    "taken": (
        (zone(A=[OURS, ELSEWHERE]), (HOST, "A"), [OURS]),
        f"leads to {OURS}, {ELSEWHERE}, where users are",
        "dns.takeOver true",
    ),
    "out-of-reach": (
        (
            Zone("zone-a", records={**{(f"{n}.a.test", "A"): [OURS] for n in range(1000)}, (HOST, "A"): [OURS]}),
            (HOST, "A"),
            None,
        ),
        "exists, and is not among the first 1000 of the zone",
        "tlsctl adopt",
    ),
    "caa": (
        (replace(zone(CAA=['0 issue "ca.test"']), identities=["letsencrypt.org"]), (f"*.{HOST}", "A"), [OURS]),
        "ca.test alone may sign",
        f"""update {HOST}. --zone zone-a --type CAA --rrdatas '0 issue "ca.test"','0 issuewild "letsencrypt.org"'""",
    ),
    "family": (
        (zone(AAAA=["2001:db8::9"]), (HOST, "A"), [OURS]),
        "leads to 2001:db8::9, and not to the gateway",
        f"delete {HOST}. --zone zone-a --type AAAA",
    ),
    "solver": (
        (Mesh("edge", config={"ingressControllerMode": "OFF"}),),
        "has ingressControllerMode OFF",
        "meshConfig.ingressControllerMode=STRICT",
    ),
    "undiscovered": (
        (Mesh("edge", config={"discoverySelectors": [{"matchLabels": {"mesh": "on"}}]}, namespace_labels={}),),
        "has no label of Istio's discoverySelectors",
        "kubectl label namespace edge mesh=on",
    ),
    "closed": (
        (Mesh("edge", PODS, policies=[policy(rules=[{"from": [{"source": {"ipBlocks": ["192.0.2.0/24"]}}]}])]),),
        "refuses /.well-known/acme-challenge/ to a CA on the internet",
        '[{"op":"add","path":"/spec/rules/-","value":{"to":[{"operation":{"paths":["/.well-known/acme-challenge/*"]}}]}}]',
    ),
    "same-host": (
        (beside(theirs(443, mode="SIMPLE")),),
        f"lists {HOST} on port 443 in another form than the stack's Gateway: Envoy refuses every change",
        "kubectl --namespace team edit gateways.networking.istio.io web",
    ),
    "release": (
        (Place("cert-manager", definition={"annotations": {}}),),
        "is not of a Helm release: another cert-manager is installed",
        "set the input install to false",
    ),
    "controller": (
        (Place("tls", exists=True, controller=True, commands={"install": "pulumi config set x"}),),
        "has a cert-manager already",
        "pulumi config set x false",
    ),
    "namespace": (
        (Place("tls", exists=True, controller=False),),
        "is there already, without a cert-manager",
        "set the input create_namespace to false    # installs into it",
    ),
    "role": (
        ("certManagerDns01_dev", ["You can't create a role_id (x) which has been marked for deletion."], "set another"),
        "was deleted more than 7 days ago",
        "set another",
    ),
}
"""What each check is made of, and parts of the problem and of its fix."""


def problems(name: str, *subject: Any) -> list[Problem]:
    return list(preflight.CHECKS[name].problems(*subject))


def test_every_check_has_an_example() -> None:
    assert EXAMPLES.keys() == preflight.CHECKS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_there_is_named_with_the_way_out(name: str) -> None:
    subject, what, fix = EXAMPLES[name]
    (problem,) = problems(name, *subject)
    assert what in problem.what
    assert fix in "\n".join(problem.fix)


@pytest.mark.parametrize(
    ("service", "what"),
    [
        (gateway(ip="100.64.0.1"), "has the address 100.64.0.1"),
        (gateway(ip="fd00::1"), "has the address fd00::1"),
        (gateway(annotations={"networking.gke.io/load-balancer-type": "Internal"}), "is internal"),
        (gateway(loadBalancerSourceRanges=["198.51.100.0/24", "10.0.0.0/8"]), "is open to 198.51.100.0/24, 10.0.0.0/8"),
    ],
    ids=["carrier's", "unique local", "internal", "source ranges"],
)
def test_a_public_ca_cannot_reach_every_address(service: dict[str, Any], what: str) -> None:
    (problem,) = problems("unreachable", service, PUBLIC)
    assert what in problem.what


@pytest.mark.parametrize(
    ("service", "wanted"),
    [
        (gateway(ip="203.0.113.7"), PUBLIC),
        (gateway(ip="172.32.0.1"), PUBLIC),
        (gateway(ip="10.0.0.9"), Wanted()),
        (gateway(loadBalancerSourceRanges=["0.0.0.0/0"]), PUBLIC),
        (gateway(loadBalancerSourceRanges=["0.0.0.0/1", "128.0.0.0/1"]), PUBLIC),
        (gateway(annotations={"networking.gke.io/load-balancer-type": "External"}), PUBLIC),
        (gateway(), Wanted(selector=PODS)),
        (gateway(), Wanted(selector={"app": "gateway"})),
        (gateway(selector=None), Wanted(selector=PODS)),
    ],
    ids=["for documents", "public", "a CA of its own network", "all", "all, in halves", "external", "the same labels",
         "other labels", "without a selector"],
)  # fmt: skip
def test_a_service_that_serves_is_not_refused(service: dict[str, Any], wanted: Wanted) -> None:
    assert not list(preflight.find(preflight.SERVICE, service, wanted))


@pytest.mark.parametrize("delegated_to", [{"ns1.cloud.test", "ns2.elsewhere.test"}, None], ids=["partly", "unknown"])
def test_a_zone_that_is_asked_is_left_alone(delegated_to: Any) -> None:
    assert not list(
        preflight.find(preflight.RECORDS, replace(ZONE, delegated_to=delegated_to), (HOST, "A"), [OURS], warn=True)
    )
    assert not list(preflight.find(preflight.RECORDS, ZONE, (HOST, "A"), [OURS])), (
        "the NS records of the zone are no cut"
    )


@pytest.mark.parametrize(
    ("there", "kind", "values"),
    [
        (zone(), "A", [OURS]),
        (zone(A=[OURS]), "A", [OURS]),
        (zone(A=[ELSEWHERE]), "A", None),
        (zone(A=[ELSEWHERE]), "AAAA", ["2001:db8::1"]),
        (zone(CNAME=["x."]), "CNAME", None),
        (zone(TXT=["v=spf1 -all"], CAA=['0 issue "a"']), "A", [OURS]),
    ],
    ids=["nothing", "our address", "taken over", "another type", "a CNAME", "types that may be beside it"],
)
def test_other_record_sets_are_in_nobodys_way(there: Zone, kind: str, values: list[str] | None) -> None:
    assert not list(preflight.find(preflight.RECORDS, there, (HOST, kind), values))


HELMS = {"meta.helm.sh/release-name": "cert-manager", "meta.helm.sh/release-namespace": "cert-manager"}


@pytest.mark.parametrize(
    "place",
    [
        Place("cert-manager"),
        Place("cert-manager", exists=False, controller=False, definition={}),
        Place("cert-manager", exists=False, definition={"annotations": HELMS}),
        Place("cert-manager", exists=False, definition={"annotations": None}, defines=False),
        Place("tls", creates=False, exists=True, controller=False),
    ],
    ids=[
        "not readable",
        "nothing",
        "definitions that outlived the release",
        "definitions that stay as they are",
        "a namespace that is used",
    ],
)
def test_cert_manager_is_installed_where_there_is_none(place: Place) -> None:
    assert not list(preflight.find(preflight.CERT_MANAGER, place))


def test_a_namespace_that_nobody_creates_is_named() -> None:
    (problem,) = preflight.find(preflight.CERT_MANAGER, Place("tls", creates=False, exists=False, controller=False))
    assert (problem.where, problem.what) == ("namespace tls", "does not exist, and the stack does not create it")


def test_another_release_is_named() -> None:
    (problem,) = problems("release", Place("tls", definition={"annotations": HELMS}))
    assert problem.what.startswith("is of the Helm release cert-manager in cert-manager")


OFFICE = {"from": [{"source": {"remoteIpBlocks": ["192.0.2.0/24"]}}]}
CHALLENGE = {"to": [{"operation": {"paths": [f"{PATH}*"]}}]}


@pytest.mark.parametrize(
    ("policies", "fix"),
    [
        ([policy()], '"path":"/spec/rules","value":[{"to"'),
        ([policy(rules=[OFFICE]), policy(rules=[{"from": [{"source": {"principals": ["*"]}}]}])], "/spec/rules/-"),
        ([policy(rules=[{"to": [{"operation": {"ports": ["8443"]}}]}])], "/spec/rules/-"),
        ([policy(action="DENY", rules=[{}])], '"path":"/spec/rules/0/to","value":[{"operation":{"notPaths"'),
        (
            [policy(action="DENY", rules=[OFFICE, {"to": [{"operation": {"ports": ["8080"], "notPaths": ["/a"]}}]}])],
            '/spec/rules/1/to/0/operation/notPaths","value":["/a","/.well-known',
        ),
        (
            [policy(action="DENY", rules=[{"from": [{"source": {"notIpBlocks": ["192.0.2.0/24"]}}]}])],
            "/spec/rules/0/to",
        ),
    ],
    ids=["nothing is allowed", "sources", "another port", "all is refused", "a port is refused", "who is not there"],
)
def test_a_policy_that_refuses_the_challenge_is_named_with_its_exemption(policies: Any, fix: str) -> None:
    (problem,) = problems("closed", Mesh("edge", PODS, policies=policies))
    assert fix in problem.fix[0]


@pytest.mark.parametrize(
    "policies",
    [
        [],
        [policy(rules=[OFFICE, CHALLENGE])],
        [policy(rules=[OFFICE]), policy(rules=[{}])],
        [policy(rules=[{"to": [{"operation": {"hosts": ["shop.a.test"]}}]}])],
        [policy(rules=[{"when": [{"key": "request.headers[x]", "values": ["y"]}]}])],
        [policy(selector={"matchLabels": {"istio": "front"}})],
        [policy(targetRefs=[{"kind": "Gateway", "name": "x"}])],
        [policy(action="DENY", rules=[OFFICE, {"to": [{"operation": {"notPaths": [f"{PATH}*"]}}]}])],
        [policy(action="DENY", rules=[{"to": [{"operation": {"hosts": ["internal.a.test"]}}]}])],
        [policy(action="AUDIT", rules=[{}])],
    ],
    ids=["none", "exempted", "all is allowed", "by host", "by condition", "other Pods", "another Gateway", "office",
         "another host", "audit"],
)  # fmt: skip
def test_what_may_let_the_challenge_through_is_not_named(policies: Any) -> None:
    assert not problems("closed", Mesh("edge", PODS, policies=policies))


@pytest.mark.parametrize(
    ("selector", "labels"),
    [
        ({"matchExpressions": [{"key": "mesh", "operator": "In", "values": ["on"]}]}, {"mesh": "on"}),
        ({"matchExpressions": [{"key": "mesh", "operator": "DoesNotExist"}]}, {}),
        ({"matchLabels": {"mesh": "on"}}, None),
    ],
    ids=["in", "does not exist", "not readable"],
)
def test_a_namespace_that_istio_reads_is_not_named(selector: Any, labels: Any) -> None:
    gateway_ = Mesh("edge", config={"discoverySelectors": [selector]}, namespace_labels=labels)
    assert not problems("undiscovered", gateway_)


def test_a_gateway_of_another_with_several_hosts_is_named_once() -> None:
    seen = beside(theirs(80, hosts=[f"*/{HOST}", "*/b.a.test"]), host="*.a.test")
    (problem,) = problems("same-host", replace(seen, hosts=["*.a.test", HOST]))
    assert problem.what == f"lists {HOST} on port 80, in plain HTTP; and 1 more of the stack's hosts"


@pytest.mark.parametrize(
    ("more", "consequence"),
    [
        ({}, "Envoy refuses"),
        ({"routes_from": ["team"]}, "Istio uses the older of two Gateways"),
        ({"owned_hosts": [HOST]}, "Istio uses the older of two Gateways"),
    ],
    ids=["in another form", "in the same form", "not known of a host with an owner"],
)
def test_the_form_in_which_both_gateways_list_a_host_decides_what_happens(more: Any, consequence: str) -> None:
    (problem,) = problems("same-host", beside(theirs(443, mode="SIMPLE"), **more))
    assert consequence in problem.what


@pytest.mark.parametrize(
    "other",
    [
        theirs(443, {"istio": "front"}, mode="SIMPLE"),
        theirs(443, hosts=["*/*.a.test"], mode="SIMPLE"),
        {**theirs(443, mode="SIMPLE"), "metadata": {"namespace": "edge", "name": "http"}},
        {"metadata": {"namespace": "team", "name": "web"}},
    ],
    ids=["other Pods", "a wildcard, which is less specific", "our own", "no spec"],
)
def test_other_gateways_leave_the_host_to_the_stack(other: Any) -> None:
    assert not problems("same-host", beside(other))


def test_a_stack_that_moves_to_the_gateway_api_leaves_its_old_gateways_behind() -> None:
    old = {**theirs(443, mode="SIMPLE"), "metadata": {"namespace": "edge", "name": "tls"}}
    assert problems("same-host", beside(old))
    assert not problems("same-host", beside(old, moves=True))
    assert problems("same-host", beside(theirs(443, mode="SIMPLE"), moves=True))


def test_mesh_config_says_nothing_of_a_solver_with_an_httproute() -> None:
    off = Mesh("edge", config={"ingressControllerMode": "OFF"})
    assert problems("solver", off)
    assert not problems("solver", replace(off, by_route=True))


@pytest.mark.parametrize(
    ("records", "identities"),
    [
        ({("a.test", "CAA"): ['0 issue "ca.test"', '0 issue "letsencrypt.org; accounturi=x"']}, ["letsencrypt.org"]),
        ({("a.test", "CAA"): ['0 iodef "mailto:a@a.test"']}, ["letsencrypt.org"]),
        ({("other.test", "CAA"): ['0 issue ";"']}, ["letsencrypt.org"]),
        ({("a.test", "CAA"): ['0 issue ";"']}, []),
    ],
    ids=["ours as well", "no issuer is named", "of another name", "a CA whose domain is not known"],
)
def test_caa_records_that_do_not_forbid_the_ca_are_left_alone(records: Any, identities: list[str]) -> None:
    assert not problems("caa", Zone("zone-a", records=records, identities=identities), (HOST, "A"), [OURS])


def test_both_addresses_may_be_the_stacks_own() -> None:
    own = replace(zone(AAAA=["2001:db8::9"]), own=[(HOST, "A"), (HOST, "AAAA")])
    assert not problems("family", own, (HOST, "A"), [OURS])


def test_policies_of_the_gateway_and_of_istio_are_read_and_what_may_not_be_read_is_no_error(api: Api) -> None:
    http01 = {"selector": PODS, "revision": None, "control_plane": "mesh", "class_field": "class"}
    policies = "/apis/security.istio.io/v1/namespaces/{}/authorizationpolicies"
    api.objects = {policies.format(place): {"items": [policy(rules=[OFFICE])]} for place in ("edge", "mesh")}
    connected = api.client()
    assert len(mesh.read(connected, "edge", "gateway", http01, {}).policies) == 2
    api.objects, api.refused = {}, 403
    assert not mesh.read(connected, "edge", "gateway", http01, {}).policies


def test_gateways_of_all_namespaces_are_read_once_for_all_components_that_look(api: Api) -> None:
    credentials = Credentials(api.kubeconfig)
    api.objects = {"/apis/networking.istio.io/v1/gateways": {"items": [theirs(443)]}}
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(neighbours.read, [credentials] * 4)) == [[theirs(443)]] * 4
    assert len(api.asked) == 1


def test_gateways_that_may_not_be_read_are_no_error(api: Api) -> None:
    api.refused = 403
    assert neighbours.read(Credentials(api.kubeconfig)) == []
