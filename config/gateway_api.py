"""Refuses `api: gateway` where the cluster does not have the Gateway API, without which cert-manager does not start.

A cluster that cannot be read says nothing: it may not exist yet, and the engine itself reports what is wrong with it.
"""

from components.kube.client import Client, ClusterError
from components.problem import Problem, ProblemsError
from components.shell import word
from components.specs import apis, gateway_api
from config.decoding import config_heading
from config.models import Settings
from config.problems import dotted, set_command

RELEASES = "https://github.com/kubernetes-sigs/gateway-api/releases"


def require_gateway_api(settings: Settings, stack: str, kubeconfig: str | None) -> None:
    """Refuse a config whose API the cluster does not have.

    Raises:
        ProblemsError: names the kinds that are missing, and the command that brings them.
    """
    if not settings.uses_gateway_api:
        return
    served = kinds_served(kubeconfig, settings.context)
    managed = any(view.settings.ingress.managed for view in settings.views)
    needed = gateway_api.MANAGED_KINDS if managed else gateway_api.KINDS
    missing = [kind for kind in needed if served is not None and kind not in served]
    if missing:
        problem = _missing(settings, missing)
        raise ProblemsError(problem, heading=config_heading(stack, [problem]))


def _missing(settings: Settings, kinds: list[str]) -> Problem:
    key = next([*view.path, "api"] for view in settings.views if view.settings.api == apis.GATEWAY)
    listed = ", ".join(f"{kind}.{gateway_api.GROUP}" for kind in kinds)
    what = f"the cluster does not have {listed}; accepted: gateway where it has the Gateway API's standard channel"
    install = f"kubectl apply --server-side --filename {RELEASES}/latest/download/standard-install.yaml"
    if settings.gke:
        cluster, location = word(settings.gke.cluster), word(settings.gke.location)
        install = f"gcloud container clusters update {cluster} --location {location} --gateway-api=standard"
    return Problem(dotted(key), what, (install, set_command(key, apis.ISTIO)))


def kinds_served(kubeconfig: str | None, context: str | None) -> set[str] | None:
    """Return the kinds of the Gateway API that a cluster serves, by their plural names; None if it cannot be read."""
    try:
        client = Client(kubeconfig, context)
        versions = [client.resources(version) or [] for version in (gateway_api.VERSION, gateway_api.GRANT_VERSION)]
    except ClusterError:
        return None
    return {resource["name"] for resources in versions for resource in resources}
