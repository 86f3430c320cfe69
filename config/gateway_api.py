"""Refuses `api: gateway` where the cluster does not have the Gateway API, without which cert-manager does not start.

A cluster that cannot be read says nothing: it may not exist yet, and the engine itself reports what is wrong with it.
"""

from components.problem import Problem, ProblemsError
from components.shell import word
from components.specs import apis, gateway_api
from config.decoding import config_heading
from config.models import Settings
from config.problems import dotted, set_command

_TIMEOUT = (5, 10)
"""Seconds to connect and to answer."""

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
    # Loading the client takes most of a second, which only stacks of this API spend.
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    from components.kube.client import api_client

    served: set[str] = set()
    try:
        objects = client.CustomObjectsApi(api_client(kubeconfig, context))
        for version in (gateway_api.VERSION, gateway_api.GRANT_VERSION):
            group, _, name = version.partition("/")
            try:
                # Any account may read that (the role system:discovery).
                answer = objects.get_api_resources(group, name, _request_timeout=_TIMEOUT)
            except client.ApiException as error:
                if error.status != 404:
                    raise
            else:
                served |= {resource.name for resource in answer.resources}
    except (client.ApiException, config.ConfigException, HTTPError):
        return None
    return served
