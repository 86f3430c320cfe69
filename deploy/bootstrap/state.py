"""Pulumi's state and the key for the secrets in it, one of each for every stack."""

import pulumi
import pulumi_gcp as gcp

APIS = ("cloudkms", "cloudresourcemanager", "iam", "iamcredentials", "storage", "sts")
"""The APIs that authentication and the state need."""

KEPT_DAYS = 90
"""How long earlier and deleted versions of the state can be restored."""

ROTATION = "7776000s"
"""90 days. Old versions of the key still decrypt."""


class StateBackend(pulumi.ComponentResource):
    """A bucket with versions, and a key. Both are protected: the stack is lost without either.

    A folder of a shared bucket would not do: grants on it need a condition on the names of objects, which does not
    apply when Pulumi lists them.
    """

    bucket: pulumi.Output[str]
    """The bucket's name."""
    key: pulumi.Output[str]
    """The key's id, `projects/…/cryptoKeys/…`."""
    url: pulumi.Output[str]
    """The address for `pulumi login`."""
    secrets_provider: pulumi.Output[str]
    """The provider for `pulumi stack init --secrets-provider`."""

    def __init__(
        self, name: str, project: str, location: str, ring: pulumi.Input[str], opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__("istio-gateway-tls-bootstrap:index:StateBackend", name, {}, opts)
        protected = pulumi.ResourceOptions(parent=self, protect=True)
        bucket = gcp.storage.Bucket(
            f"{name}-bucket",
            # Names of buckets are global.
            name=f"{project}-pulumi-{name}",
            location=location,
            versioning={"enabled": True},
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            # An attacker who deletes the versions too cannot purge what is deleted softly.
            soft_delete_policy={"retention_duration_seconds": KEPT_DAYS * 24 * 3600},
            lifecycle_rules=[
                {"action": {"type": "Delete"}, "condition": {"days_since_noncurrent_time": KEPT_DAYS}},
            ],
            opts=protected,
        )
        key = gcp.kms.CryptoKey(
            f"{name}-key", name=f"secrets-{name}", key_ring=ring, rotation_period=ROTATION, opts=protected
        )
        self.bucket, self.key = bucket.name, key.id
        self.url = pulumi.Output.format("gs://{}", bucket.name)
        self.secrets_provider = pulumi.Output.format("gcpkms://{}", key.id)
        self.register_outputs({"bucket": self.bucket, "key": self.key})
