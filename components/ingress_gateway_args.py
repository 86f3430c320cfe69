"""The inputs of `IngressGateway`, without Pulumi: the stack config has some of these fields."""

from typing import Annotated, NotRequired, TypedDict

from .fields import ClassField, Default, Input, KubernetesName, OneOf, Seconds, Selector
from .kube import solver_route
from .specs import addresses, istio


class Http01Args(TypedDict):
    """What the Ingress of an HTTP-01 solver has to lead to."""

    selector: NotRequired[Annotated[Input[Selector[Input[str]]], Default(istio.SELECTOR)]]
    """Labels of the gateway's Pods."""
    class_field: NotRequired[Annotated[Input[ClassField], Default("class")]]
    """The field of the Ingress that names the ingress class `istio`. Istio always reads `class`, an annotation;
    `ingressClassName` needs an IngressClass `istio` with the controller istio.io/ingress-controller."""
    control_plane: NotRequired[Annotated[Input[KubernetesName], Default(solver_route.CONTROL_PLANE)]]
    """The namespace of istiod and of the mesh config, which routes HTTP-01."""
    revision: NotRequired[Input[KubernetesName]]
    """The revision of Istio that the gateway belongs to. Defaults to its Deployment's label istio.io/rev."""


class IngressGatewayArgs(TypedDict):
    """The inputs of `IngressGateway`."""

    namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of the Service."""
    service: NotRequired[Annotated[Input[KubernetesName], Default(istio.SERVICE)]]
    """The name of the Service."""
    timeout: NotRequired[Annotated[Seconds, Default(300)]]
    """Seconds that `up` waits for the external IP."""
    plain: NotRequired[Annotated[bool, Default(True)]]
    """Whether the Service has to have port 80, for HTTP-01 and the redirect."""
    family: NotRequired[Annotated[str, OneOf(*addresses.FAMILIES), Default(addresses.IPV4)]]
    """The external addresses of the Service, which the hosts' records hold; `dual` is one of each."""
    http01: NotRequired[Http01Args]
    """Set it where HTTP-01 is used. A gateway to which Istio routes no Ingress of a solver is then refused."""
