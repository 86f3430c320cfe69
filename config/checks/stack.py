"""Rules between the keys of a stack: its cluster, its issuers and its cert-manager."""

from collections.abc import Iterator, Sequence

from components.kube import kubeconfig
from components.problem import Problem
from components.specs import acme, cert_manager
from components.specs.istio import ANY_NAMESPACE
from config.checks.keys import Keys
from config.problems import Path


def problems(stack: Keys, others: Sequence[Keys]) -> Iterator[Problem]:
    """Yield the problems between the keys of a stack, which are those of its own gateway and of the others."""
    yield from _cluster(stack)
    yield from _kubeconfig(stack)
    yield from _issuer_kind(stack, others)
    yield from _external_accounts(stack)
    yield from _cert_manager_version(stack)
    yield from _chart(stack)
    for gateway in (stack, *others):
        yield from _reserved_hosts(gateway)


def _cluster(stack: Keys) -> Iterator[Problem]:
    for key in ("kubeconfig", "context"):
        if stack.settings.gke and getattr(stack.settings, key):
            accepted = "kubeconfig and context, or gke"
            yield stack.problem([key], "contradicts gke", accepted, stack.remove([key]))


def _kubeconfig(stack: Keys) -> Iterator[Problem]:
    content = stack.settings.kubeconfig
    if content is None or not kubeconfig.is_content(content):
        return
    try:
        embedded = kubeconfig.embedded_credentials(content)
        reason = (
            f"holds credentials in plain text, {', '.join(embedded)} (what is not known to be none counts as one):"
            " replace them, they were in the stack's file"
        )
    except ValueError as error:
        embedded, reason = [], str(error)
    else:
        if not embedded or "kubeconfig" in stack.secret:
            return
    accepted = "a path; content without credentials; content with them as a secret; or gke"
    fix = "pulumi config set --secret kubeconfig < KUBECONFIG"
    yield stack.problem(["kubeconfig"], reason, accepted, fix)


def _issuer_kind(stack: Keys, others: Sequence[Keys]) -> Iterator[Problem]:
    if stack.settings.acme.issuer_kind != acme.ISSUER:
        return
    path: Path = ["acme", "issuerKind"]
    challenges = {challenge for keys in (stack, *others) for challenge in keys.settings.challenges.values()}
    if stack.settings.creates_issuers and acme.DNS01 in {stack.settings.challenge, *challenges}:
        # cert-manager's --issuer-ambient-credentials would lend its access to every Issuer of the cluster.
        reason = "cannot prove names by dns01: cert-manager lends its access to Cloud DNS to ClusterIssuers only"
        yield stack.problem(path, reason, "ClusterIssuer with dns01", stack.set(path, acme.CLUSTER_ISSUER))
    for key, names in (("dnsNames", stack.settings.acme.dns_names), ("dnsZones", stack.settings.acme.dns_zones)):
        if names:
            reason = "has no effect: an Issuer signs for the gateway's namespace only"
            fix = stack.remove(["acme", key])
            yield stack.problem(["acme", key], reason, "a list with ClusterIssuers", fix)
    own = stack.settings.ingress.namespace
    for other in others:
        if other.settings.ingress.namespace != own:
            where: Path = ["ingress", "namespace"]
            hidden = "ingress" in stack.secret
            named = "the namespace of the stack's own gateway" if hidden else own
            reason = f"has no issuer: the stack has Issuers in {named}, which sign for that namespace only"
            fix = f"{other.set(where, 'NAMESPACE' if hidden else own)}, or {stack.set(path, acme.CLUSTER_ISSUER)}"
            yield other.problem(where, reason, f"{named}, or any with ClusterIssuers", fix)


def _external_accounts(stack: Keys) -> Iterator[Problem]:
    for environment, account in stack.settings.acme.external_account:
        path: Path = ["acme", "externalAccount", environment, "keySecret"]
        fix = stack.set(path, "HMAC_KEY", secret=True)
        if account is None:
            continue
        keys = account.model_fields_set & {"key_secret", "secret_name"}
        if "key_secret" in keys and "acme" not in stack.secret:
            reason = "stands in plain text in the stack's file: replace it at the CA"
            yield stack.problem(path, reason, "an HMAC key as a secret", fix)
        if len(keys) == 2:
            yield stack.problem(path, "contradicts secretName", "keySecret, or secretName", stack.remove(path))
        if not keys:
            yield stack.problem(path, "is missing", "keySecret as a secret, or secretName", fix)


def _cert_manager_version(stack: Keys) -> Iterator[Problem]:
    """Yield the keys that only cert-manager 1.21.2 and later has: an older one ignores them, or does not start."""
    chart = stack.settings.cert_manager
    if chart.version is None or cert_manager.at_least(chart.version, (1, 21, 2)):
        return
    path: Path = ["certManager", "version"]
    accepted, fix = "v1.21.2 and later with it", stack.set(path, cert_manager.VERSION)
    if stack.settings.uses_gateway_api:
        # Older ones do not know the annotations by which a Certificate names a Gateway.
        yield stack.problem(path, "is too old for api gateway", accepted, fix)
    if stack.settings.acme.wait_instead_of_self_check is not None:
        yield stack.problem(path, "does not know acme.waitInsteadOfSelfCheck", accepted, fix)
    if cert_manager.uses_ari(chart.values):
        reason = "does not renew by ARI (featureGates: ACMEUseARI), or does so in a loop"
        yield stack.problem(path, reason, accepted, fix)


def _chart(stack: Keys) -> Iterator[Problem]:
    chart = stack.settings.cert_manager
    for key, value in (("digest", chart.digest), ("keyring", chart.keyring)):
        if value is None or chart.chart is None:
            continue
        try:
            if key == "digest":
                cert_manager.pinned(chart.chart, value)
            else:
                cert_manager.check_signable(chart.chart)
        except ValueError as error:
            path: Path = ["certManager", "chart"]
            fix = f"{stack.set(path, 'CHART.tgz')}, or {stack.remove(['certManager', key])}"
            yield stack.problem(path, str(error), f"an OCI reference or a .tgz with certManager.{key}", fix)


def _reserved_hosts(gateway: Keys) -> Iterator[Problem]:
    path: Path = ["ingress", "routesFrom"]
    if (
        gateway.settings.reserve_hosts
        and gateway.has("ingress")
        and ANY_NAMESPACE in gateway.settings.ingress.routes_from
    ):
        reason = "contradicts reserveHosts, which refuses routes of other namespaces"
        yield gateway.problem(path, reason, "a list of namespaces with reserveHosts", gateway.remove(path))
