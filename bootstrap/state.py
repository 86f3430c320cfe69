"""Pulumi's state and the key that encrypts the secrets in it."""

from typing import TypedDict

import pulumi
import pulumi_gcp as gcp

APIS = ("cloudkms", "cloudresourcemanager", "iam", "iamcredentials", "storage", "sts")
"""What the identities need to come in, and the state to be read."""

KEPT_DAYS = 90
"""How long an earlier version of the state can be restored."""

ROTATION = "7776000s"
"""90 days. Old versions of the key go on decrypting."""


class StateBackendArgs(TypedDict):
    """What `StateBackend` takes."""

    project: str
    """Names the bucket, since buckets have one name space for everybody."""
    location: str
    """A region."""


class StateBackend(pulumi.ComponentResource):
    """A bucket with versions, and a key. Both are protected: with either gone, so are the stacks."""

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
        child = pulumi.ResourceOptions(parent=self)
        apis = [
            # Others in the project may use them too.
            gcp.projects.Service(f"{name}-{api}", service=f"{api}.googleapis.com", disable_on_destroy=False, opts=child)
            for api in APIS
        ]
        kept = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(protect=True, depends_on=apis))
        bucket = gcp.storage.Bucket(
            f"{name}-bucket",
            name=f"{args['project']}-pulumi-state",
            location=args["location"],
            versioning={"enabled": True},
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            lifecycle_rules=[
                {"action": {"type": "Delete"}, "condition": {"days_since_noncurrent_time": KEPT_DAYS}},
            ],
            opts=kept,
        )
        ring = gcp.kms.KeyRing(f"{name}-ring", name="pulumi", location=args["location"], opts=kept)
        key = gcp.kms.CryptoKey(f"{name}-key", name="secrets", key_ring=ring.id, rotation_period=ROTATION, opts=kept)
        self.bucket, self.key = bucket.name, key.id
        self.url = pulumi.Output.format("gs://{}", bucket.name)
        self.secrets_provider = pulumi.Output.format("gcpkms://{}", key.id)
        self.register_outputs({"bucket": self.bucket, "key": self.key})
