"""What the provider waits for, and how long.

https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-annotations/
"""

import pulumi

WAIT_FOR_READY = {"pulumi.com/waitFor": "condition=Ready"}
"""Annotation: a create or an update ends when the object's Ready condition is True."""


def bounded(seconds: int) -> pulumi.CustomTimeouts:
    """Return timeouts that end the wait after `seconds`."""
    return pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s")
