"""The APIs in which a gateway can be written: Istio's own, or the Gateway API of Kubernetes, which Istio reads too."""

ISTIO = "istio"
GATEWAY = "gateway"
APIS = (ISTIO, GATEWAY)
