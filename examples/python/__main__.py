"""HTTPS for one application behind a gateway that has its port 80, its DNS and its issuers already."""

import pulumi
import pulumi_kubernetes as kubernetes
from istio_gateway_tls import GatewayCertificate, TlsGateway

config = pulumi.Config()
host = config.require("host")

cluster = kubernetes.Provider("cluster", kubeconfig=config.require("kubeconfig"))
on_cluster = pulumi.ResourceOptions(provider=cluster)

labels = {"app": "hello"}
namespace = kubernetes.core.v1.Namespace("hello", opts=on_cluster)
kubernetes.apps.v1.Deployment(
    "hello",
    metadata={"namespace": namespace.metadata["name"]},
    spec={
        "selector": {"match_labels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "hello", "image": config.require("image")}]},
        },
    },
    opts=on_cluster,
)
service = kubernetes.core.v1.Service(
    "hello",
    metadata={"namespace": namespace.metadata["name"]},
    spec={"selector": labels, "ports": [{"port": 80, "target_port": 8080}]},
    opts=on_cluster,
)

certificate = GatewayCertificate(
    "certificate",
    {"issuer": "letsencrypt-staging-istio", "credentials": [{"secret_name": "hello-tls", "hosts": [host]}]},
    on_cluster,
)
tls = TlsGateway(
    "tls",
    {
        "credentials": [{"secret_name": "hello-tls", "hosts": [host]}],
        "hosts": [
            {
                "host": host,
                "routes": [
                    {"service": service.metadata["name"], "namespace": namespace.metadata["name"], "port": 80},
                ],
            }
        ],
        "hsts": 86400,
    },
    # Not before the Secret is there: browsers would see no certificate.
    pulumi.ResourceOptions.merge(on_cluster, pulumi.ResourceOptions(depends_on=[certificate])),
)

pulumi.export("urls", tls.urls)
pulumi.export("notAfter", certificate.not_after)
