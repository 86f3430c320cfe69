"""The APIs in which a gateway can be written: Istio's own, or the Gateway API of Kubernetes, which Istio reads too."""

ISTIO = "istio"
GATEWAY = "gateway"
APIS = (ISTIO, GATEWAY)

GATEWAYS = {ISTIO: "gateways.networking.istio.io", GATEWAY: "gateways.gateway.networking.k8s.io"}
ROUTES = {ISTIO: "virtualservices.networking.istio.io", GATEWAY: "httproutes.gateway.networking.k8s.io"}
"""What kubectl calls the kinds of an API: both have a Gateway."""
