"""cert-manager's access to a managed zone for DNS-01, by Workload Identity Federation for GKE.

The ServiceAccount itself is granted a role (https://cloud.google.com/iam/docs/principal-identifiers): there is neither
a Google service account nor a key. The permissions are what cert-manager's solver calls when it is told the zone
(pkg/issuer/acme/dns/clouddns, v1.21.2): record sets are listed, a change is made and read again.
"""

from ..shell import Expression

PERMISSIONS = (
    "dns.changes.create",
    "dns.changes.get",
    "dns.resourceRecordSets.create",
    "dns.resourceRecordSets.delete",
    "dns.resourceRecordSets.list",
    "dns.resourceRecordSets.update",
)

NAMESPACE = "cert-manager"
SERVICE_ACCOUNT = "cert-manager"
"""Of cert-manager's controller, as its chart names them."""

ACCOUNT_UID = Expression(
    f'"$(kubectl get serviceaccount {SERVICE_ACCOUNT} -n {NAMESPACE} --output jsonpath={{.metadata.uid}})"'
)
"""The command that prints the UID of that ServiceAccount."""


def pool(project: str, number: str) -> str:
    """Return the full name of the workload identity pool of a project's clusters."""
    return f"projects/{number}/locations/global/workloadIdentityPools/{project}.svc.id.goog"


def member(
    pool_: str, namespace: str = NAMESPACE, service_account: str = SERVICE_ACCOUNT, uid: str | None = None
) -> str:
    """Return a ServiceAccount as IAM policies name it: by name those of all clusters of the project, by UID one."""
    selector = f"kubernetes.serviceaccount.uid/{uid}" if uid else f"subject/ns/{namespace}/sa/{service_account}"
    return f"principal://iam.googleapis.com/{pool_}/{selector}"
