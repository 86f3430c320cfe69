"""Pulumi's state and the keys that encrypt the secrets in it: for each stack its own."""

from typing import TypedDict

import pulumi
import pulumi_gcp as gcp

APIS = ("cloudkms", "cloudresourcemanager", "iam", "iamcredentials", "storage", "sts")
"""What the identities need to come in, and the state to be read."""

KEPT_DAYS = 90
"""How long an earlier version of the state, or one that was deleted, can be restored."""

ROTATION = "7776000s"
"""90 days. Old versions of the key go on decrypting."""


class StateBackendArgs(TypedDict):
    """What `StateBackend` takes."""

    project: str
    """Names the bucket, since buckets have one name space for everybody."""
    location: str
    """A region."""
    ring: pulumi.Input[str]
    """The key ring's id."""


class StateBackend(pulumi.ComponentResource):
    """A bucket with versions, and a key. Both are protected: with either gone, so is the stack.

    A bucket, not a folder of one: a grant on a bucket needs no condition on the names of objects, which listing would
    ignore, and Pulumi lists what is there.
    """

    bucket: pulumi.Output[str]
    """Its name."""
    key: pulumi.Output[str]
    """Its id, `projects/…/cryptoKeys/…`."""
    url: pulumi.Output[str]
    """What `pulumi login` takes."""
    secrets_provider: pulumi.Output[str]
    """What `pulumi stack init --secrets-provider` takes."""

    def __init__(self, name: str, args: StateBackendArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls-bootstrap:index:StateBackend", name, {}, opts)
        kept = pulumi.ResourceOptions(parent=self, protect=True)
        bucket = gcp.storage.Bucket(
            f"{name}-bucket",
            name=f"{args['project']}-pulumi-{name}",
            location=args["location"],
            versioning={"enabled": True},
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            # Versions are no help against who deletes them as well; what is deleted softly nobody can purge.
            soft_delete_policy={"retention_duration_seconds": KEPT_DAYS * 24 * 3600},
            lifecycle_rules=[
                {"action": {"type": "Delete"}, "condition": {"days_since_noncurrent_time": KEPT_DAYS}},
            ],
            opts=kept,
        )
        key = gcp.kms.CryptoKey(
            f"{name}-key", name=f"secrets-{name}", key_ring=args["ring"], rotation_period=ROTATION, opts=kept
        )
        self.bucket, self.key = bucket.name, key.id
        self.url = pulumi.Output.format("gs://{}", bucket.name)
        self.secrets_provider = pulumi.Output.format("gcpkms://{}", key.id)
        self.register_outputs({"bucket": self.bucket, "key": self.key})
