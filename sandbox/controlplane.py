"""The Kubernetes control plane: etcd, kube-apiserver, kube-controller-manager and kube-proxy, as parts."""

import json
from pathlib import Path

import yaml

from sandbox import network, paths
from sandbox.pki import Authority
from sandbox.process import Part, answers

API_SERVER = f"https://{network.HOST}:6443"
_CA = paths.PKI / "ca.crt"
_ETCD = "http://127.0.0.1:2379"
AUDIT_LOG = paths.RUN / "audit.log"
"""The requests of people and Pulumi to the API server, one per line (audit.k8s.io/v1), without those of its parts."""
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "None", "userGroups": ["system:serviceaccounts", "system:nodes"]},
        {"level": "None", "users": ["system:apiserver", "system:anonymous", "system:kube-proxy"]},
        {"level": "None", "users": ["system:kube-controller-manager"]},
        {"level": "Metadata"},
    ],
}


_PROXY_CONFIG = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "clientConnection": {"kubeconfig": f"{paths.PKI}/proxy.kubeconfig"},
    "mode": "nftables",
    "hostnameOverride": "sandbox",
    "clusterCIDR": network.POD_CIDR,
    "detectLocalMode": "ClusterCIDR",
    "bindAddress": network.HOST,
    "healthzBindAddress": "127.0.0.1:10256",
    "metricsBindAddress": "127.0.0.1:10249",
    "nftables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
    # Zero leaves the machine's sysctls as they are: a user namespace cannot write them.
    "conntrack": {
        "maxPerCore": 0,
        "min": 0,
        **{f"{kind}Timeout": "0s" for kind in ("tcpEstablished", "tcpCloseWait", "udp", "udpStream")},
    },
}


def prepare() -> None:
    """Write the certificates and one kubeconfig per client below /run/sandbox."""
    authority = Authority.create(paths.PKI)
    parts = ("kubernetes", "default", "svc", "cluster", "local")
    names = [".".join(parts[:count]) for count in (1, 2, 3, 5)]
    addresses = ["127.0.0.1", network.HOST, network.KUBERNETES]
    authority.issue("apiserver", "kube-apiserver", sans=[*names, "localhost", *addresses])
    authority.issue("service-account", "service-accounts")
    authority.issue("admin", "sandbox-admin", group="system:masters")
    authority.issue("controller-manager", "system:kube-controller-manager")
    authority.issue("proxy", "system:kube-proxy")
    for client in ("controller-manager", "proxy"):
        _write_kubeconfig(paths.PKI / f"{client}.kubeconfig", client)
    _write_kubeconfig(paths.KUBECONFIG, "admin")
    (paths.PKI / "kube-proxy.json").write_text(json.dumps(_PROXY_CONFIG))
    (paths.PKI / "audit-policy.json").write_text(json.dumps(_AUDIT_POLICY))


def etcd() -> Part:
    """Return the store, which does not sync since it is on a tmpfs."""
    argv = [
        str(paths.BIN / "etcd"), "--data-dir", str(paths.RUN / "etcd"), "--unsafe-no-fsync",
        "--listen-client-urls", _ETCD, "--advertise-client-urls", _ETCD,
        "--listen-peer-urls", "http://127.0.0.1:2380",
    ]  # fmt: skip
    return Part("etcd", argv, lambda: answers(f"{_ETCD}/health"))


def apiserver(*other_names: Path) -> Part:
    """Return the API server, with certificates for clients that call it by other names, `FILE.crt` beside `FILE.key`.

    It advertises the bridge's address since Endpoints refuse a loopback address.
    """
    pki = paths.PKI
    argv = [
        str(paths.BIN / "kube-apiserver"),
        f"--etcd-servers={_ETCD}",
        "--bind-address=0.0.0.0", "--secure-port=6443", f"--advertise-address={network.HOST}",
        f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
        *(f"--tls-sni-cert-key={file},{file.with_suffix('.key')}" for file in other_names),
        f"--client-ca-file={pki}/ca.crt",
        f"--service-cluster-ip-range={network.SERVICE_CIDR}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/service-account.crt",
        f"--service-account-signing-key-file={pki}/service-account.key",
        "--authorization-mode=Node,RBAC", "--allow-privileged",
        f"--audit-policy-file={pki}/audit-policy.json", f"--audit-log-path={AUDIT_LOG}",
        "--audit-log-maxsize=100", "--audit-log-maxbackup=1",
        f"--cert-dir={pki}",
        # For `kubectl logs`, the only request to a kubelet here.
        f"--kubelet-client-certificate={pki}/admin.crt", f"--kubelet-client-key={pki}/admin.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
    ]  # fmt: skip
    return Part("kube-apiserver", argv, lambda: answers(f"{API_SERVER}/readyz", _CA))


def controller_manager() -> Part:
    """Return the controllers of Deployments, Jobs, EndpointSlices, ServiceAccounts, garbage and namespaces."""
    pki = paths.PKI
    argv = [
        str(paths.BIN / "kube-controller-manager"),
        f"--kubeconfig={pki}/controller-manager.kubeconfig",
        f"--authentication-kubeconfig={pki}/controller-manager.kubeconfig",
        f"--authorization-kubeconfig={pki}/controller-manager.kubeconfig",
        f"--service-account-private-key-file={pki}/service-account.key",
        f"--root-ca-file={pki}/ca.crt",
        f"--cluster-signing-cert-file={pki}/ca.crt", f"--cluster-signing-key-file={pki}/ca.key",
        f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
        "--bind-address=127.0.0.1", "--use-service-account-credentials", "--leader-elect=false",
        "--concurrent-gc-syncs=5",
    ]  # fmt: skip
    return Part("kube-controller-manager", argv, lambda: answers("https://127.0.0.1:10257/healthz", _CA))


def proxy() -> Part:
    """Return kube-proxy, which serves Service and LoadBalancer addresses by nftables."""
    argv = [str(paths.BIN / "kube-proxy"), f"--config={paths.PKI}/kube-proxy.json"]
    return Part("kube-proxy", argv, lambda: answers("http://127.0.0.1:10249/healthz"))


def _write_kubeconfig(path: Path, client: str) -> None:
    pki = paths.PKI
    user = {"client-certificate": f"{pki}/{client}.crt", "client-key": f"{pki}/{client}.key"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "clusters": [{"name": "sandbox", "cluster": {"server": API_SERVER, "certificate-authority": f"{pki}/ca.crt"}}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": client}}],
    }
    path.write_text(yaml.safe_dump(config))
