// HTTPS for one application: the application itself, its DNS record, its certificate, and the gateway's two ports.
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as gateway from "@pulumi/istio-gateway-tls";

const config = new pulumi.Config();
const host = config.require("host");

const cluster = new kubernetes.Provider("cluster", { kubeconfig: config.require("kubeconfig") });
// A component hands its providers on to what it makes.
const onCluster = { providers: [cluster] };

const labels = { app: "hello" };
const namespace = new kubernetes.core.v1.Namespace("hello", {}, { provider: cluster });
new kubernetes.apps.v1.Deployment(
    "hello",
    {
        metadata: { namespace: namespace.metadata.name },
        spec: {
            selector: { matchLabels: labels },
            template: {
                metadata: { labels },
                spec: { containers: [{ name: "hello", image: config.require("image") }] },
            },
        },
    },
    { provider: cluster },
);
const service = new kubernetes.core.v1.Service(
    "hello",
    { metadata: { namespace: namespace.metadata.name }, spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] } },
    { provider: cluster },
);

const ingress = new gateway.IngressGateway("ingress", {}, onCluster);
const records = new gateway.DnsRecords("dns", { hosts: [host], ip: ingress.ip, zone: config.require("zone") });
const http = new gateway.HttpGateway("http", { hosts: [host] }, onCluster);

// The ACME server must find the name, and port 80 behind it, before it is asked to sign.
const certificate = new gateway.GatewayCertificate(
    "certificate",
    { issuer: "letsencrypt-staging-istio", credentials: [{ secretName: "hello-tls", hosts: [host] }] },
    { ...onCluster, dependsOn: [records, http] },
);
const tls = new gateway.TlsGateway(
    "tls",
    {
        credentials: [{ secretName: certificate.secret, hosts: [host] }],
        hosts: [
            { host, routes: [{ service: service.metadata.name, namespace: namespace.metadata.name, port: 80 }] },
        ],
    },
    onCluster,
);

export const urls = tls.urls;
export const notAfter = certificate.notAfter;
