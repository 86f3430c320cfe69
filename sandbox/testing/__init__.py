"""A library for tests of Pulumi programs against a sandbox.

    with Stack("shop", program, tmp_path, config=program / "Pulumi.sandbox.yaml") as stack:
        stack.up()
        assert client.served("shop.sandbox.test", client.trusting(acme.STAGING)), "the host is served over HTTPS"

The stack is destroyed at the end of the block, and `left` returns what is there all the same.
"""

from sandbox.testing import client
from sandbox.testing.acme_proxy import AcmeProxy
from sandbox.testing.client import Answer, Request
from sandbox.testing.cluster import (
    ISTIO,
    applied,
    delete,
    get,
    ingress_address,
    is_ready,
    items,
    kubectl,
    live,
    names,
    patch,
    reasons,
    renew,
    resource,
    stopped,
)
from sandbox.testing.engine import Command, CommandError, Engine
from sandbox.testing.leftovers import left, restore, restored
from sandbox.testing.stack import Stack
from sandbox.testing.wait import eventually
from sandbox.testing.zone import (
    ZONES,
    a_records,
    changes,
    cloud_dns,
    google,
    managed_zone,
    record_sets,
    resolve,
    txt_records,
)

__all__ = [
    "ISTIO", "ZONES", "AcmeProxy", "Answer", "Command", "CommandError", "Engine", "Request", "Stack", "a_records",
    "applied", "changes", "client", "cloud_dns", "delete", "eventually", "get", "google", "ingress_address",
    "is_ready", "items", "kubectl", "left", "live", "managed_zone", "names", "patch", "reasons", "record_sets",
    "renew", "resolve", "resource", "restore", "restored", "stopped", "txt_records",
]  # fmt: skip
