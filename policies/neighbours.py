"""What other namespaces can do at the gateway: only what the config lists."""

from collections.abc import Iterator

from components.problem import Problem
from policies import gateway_api
from policies.findings import Rule
from policies.gateways import listeners_of
from policies.listeners import ANY_NAMESPACE, Listener
from policies.objects import KubernetesObject, Stack, get, of_kind
from policies.stack_config import in_production, owners, routes_from


def _open_hosts(listener: Listener, _stack: Stack) -> Iterator[Problem]:
    listed, owner_of = routes_from(), owners()
    if not in_production():
        return
    for namespace, host in listener.hosts:
        owner = owner_of.get(host)
        if owner:
            if namespace not in {listener.gateway.namespace, owner}:
                others = "every namespace" if namespace == ANY_NAMESPACE else namespace
                yield Problem(listener.where, f"{host} takes routes from {others}, although its owner is {owner}")
        elif ANY_NAMESPACE in listed:
            continue
        elif namespace == ANY_NAMESPACE:
            yield Problem(listener.where, f"{host} takes routes from every namespace")
        elif namespace not in {listener.gateway.namespace, *listed}:
            yield Problem(
                listener.where, f"{host} takes routes from {namespace}, which ingress.routesFrom does not list"
            )


def _wide_grants(grant: KubernetesObject, _stack: Stack) -> Iterator[Problem]:
    others = {str(get(one, "namespace")) for one in grant.items("spec", "from")} - {grant.namespace}
    listed = " and ".join(sorted(others))
    for target in grant.items("spec", "to") if others else ():
        kind, name = get(target, "kind"), get(target, "name")
        if kind == "Secret":
            what = f"the Secret {name}" if name else "every Secret"
            yield Problem(grant.where, f"is too wide: a Gateway of {listed} may present {what} of its namespace")
        elif not name:
            yield Problem(grant.where, f"is too wide: a route of {listed} may lead to every {kind} of its namespace")


ROUTES_FROM = Rule(
    name="routes-from-listed-namespaces",
    description="In a production stack, a gateway's hosts take routes from its own namespace, and from those that"
    " `ingress.routesFrom` lists, a host with an `owner` from this one instead: others could take any path of a host.",
    fix=(
        "pulumi config set --path 'ingress.routesFrom[0]' NAMESPACE    # if that namespace is to have routes",
        "pulumi config set --path 'hosts[0].owner' NAMESPACE    # if it alone is to have the routes of that host",
        "hosts: [./HOST]    # on the server of a Gateway of your own; in the Gateway API, no allowedRoutes",
    ),
    cannot_see="which namespaces have a label that a listener of the Gateway API selects by: they count as every"
    " namespace, unless the label is that of the namespace's name",
    subjects=listeners_of,
    find=_open_hosts,
    needs_stack=False,
)

GRANTS = Rule(
    name="reference-grants-are-narrow",
    description="A ReferenceGrant of the Gateway API lets no other namespace's Gateways present the Secrets of its"
    " namespace, and names the Services that it lets routes lead to.",
    fix=("to: [{group: '', kind: Service, name: SERVICE}]    # for each Service; or use TlsGateway",),
    cannot_see="whether a Service that it names is that of a route; grants of other programs",
    subjects=of_kind(gateway_api.GROUP, "ReferenceGrant"),
    find=_wide_grants,
    needs_stack=False,
)
