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
"""What people and Pulumi ask of the API server, a line each (audit.k8s.io/v1), and not what its own parts ask."""
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "None", "userGroups": ["system:serviceaccounts", "system:nodes"]},
        {
            "level": "None",
            "users": ["system:apiserver", "system:anonymous", "system:kube-controller-manager", "system:kube-proxy"],
        },
        {"level": "Metadata"},
    ],
}


def prepare() -> None:
    """Write the certificates and one kubeconfig per client below /run/sandbox."""
    authority = Authority.create(paths.PKI)
    names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ]
    authority.issue(
        "apiserver", "kube-apiserver", sans=[*names, "localhost", "127.0.0.1", network.HOST, network.KUBERNETES]
    )
    authority.issue("service-account", "service-accounts")
    authority.issue("admin", "sandbox-admin", group="system:masters")
    authority.issue("controller-manager", "system:kube-controller-manager")
    authority.issue("proxy", "system:kube-proxy")
    for client in ("controller-manager", "proxy"):
        _write_kubeconfig(paths.PKI / f"{client}.kubeconfig", client)
    # Read by people and by Pulumi alike, so with its certificates inside.
    _write_kubeconfig(paths.KUBECONFIG, "admin")
    (paths.PKI / "kube-proxy.json").write_text(json.dumps(network.kube_proxy_config()))
    (paths.PKI / "audit-policy.json").write_text(json.dumps(_AUDIT_POLICY))


def etcd() -> Part:
    """The store, on the sandbox's tmpfs and so without syncing."""
    argv = [
        str(paths.BIN / "etcd"), "--data-dir", str(paths.RUN / "etcd"), "--unsafe-no-fsync",
        "--listen-client-urls", _ETCD, "--advertise-client-urls", _ETCD,
        "--listen-peer-urls", "http://127.0.0.1:2380",
    ]  # fmt: skip
    return Part("etcd", argv, lambda: answers(f"{_ETCD}/health"))


def apiserver(*other_names: Path) -> Part:
    """The API server, on the bridge's address since Endpoints refuse a loopback one.

    Args:
        other_names: certificates for clients that ask for it by another name, each `FILE.crt` beside its `FILE.key`.
    """
    pki = paths.PKI
    argv = [
        str(paths.BIN / "kube-apiserver"),
        f"--etcd-servers={_ETCD}",
        "--bind-address=0.0.0.0", "--secure-port=6443", f"--advertise-address={network.HOST}",
        f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
        *(f"--tls-sni-cert-key={each},{each.with_suffix('.key')}" for each in other_names),
        f"--client-ca-file={pki}/ca.crt",
        f"--service-cluster-ip-range={network.SERVICE_CIDR}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/service-account.crt",
        f"--service-account-signing-key-file={pki}/service-account.key",
        "--authorization-mode=Node,RBAC", "--allow-privileged",
        f"--audit-policy-file={pki}/audit-policy.json", f"--audit-log-path={AUDIT_LOG}",
        "--audit-log-maxsize=100", "--audit-log-maxbackup=1",
        f"--cert-dir={pki}",
        # Its own certificate's client reads the node's logs; nothing else talks to a kubelet here.
        f"--kubelet-client-certificate={pki}/admin.crt", f"--kubelet-client-key={pki}/admin.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
    ]  # fmt: skip
    return Part("kube-apiserver", argv, lambda: answers(f"{API_SERVER}/readyz", _CA))


def controller_manager() -> Part:
    """The controllers of Deployments, Jobs, EndpointSlices, ServiceAccounts, garbage and namespaces."""
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
    return Part(
        "kube-controller-manager",
        argv,
        lambda: answers("https://127.0.0.1:10257/healthz", _CA),
    )


def proxy() -> Part:
    """Service and LoadBalancer addresses, by nftables."""
    argv = [str(paths.BIN / "kube-proxy"), f"--config={paths.PKI}/kube-proxy.json"]
    return Part("kube-proxy", argv, lambda: answers("http://127.0.0.1:10249/healthz"))


def _write_kubeconfig(path: Path, client: str) -> None:
    pki = paths.PKI
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "clusters": [{"name": "sandbox", "cluster": {"server": API_SERVER, "certificate-authority": f"{pki}/ca.crt"}}],
        "users": [
            {
                "name": client,
                "user": {"client-certificate": f"{pki}/{client}.crt", "client-key": f"{pki}/{client}.key"},
            }
        ],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": client}}],
    }
    path.write_text(yaml.safe_dump(config))
