"""A deleted custom role: it can be undeleted for 7 days, which the provider does, and its id is taken for 30 more.

https://cloud.google.com/iam/docs/creating-custom-roles#deleting-custom-role
"""

import re
from collections.abc import Iterator, Sequence

from ..problem import Problem

_DELETED = re.compile(r"marked for deletion|deleted state")
"""The API's words, of two versions."""


def deleted_role(role: str, errors: Sequence[str], change_id: str) -> Iterator[Problem]:
    """Yield the problem of a role that Google refuses to make; `change_id` sets another id."""
    if any(_DELETED.search(error) for error in errors):
        what = "was deleted more than 7 days ago: Google Cloud takes its id again 37 days after its deletion"
        yield Problem(f"custom role {role}", what, (change_id,))
