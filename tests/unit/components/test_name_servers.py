"""The name servers that DNS has for a domain."""

from typing import Any

import pytest
from dns import exception, rdatatype, resolver, rrset

from components.name_servers import name_servers


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"acme.dev.": ["NS1.cloud.test."]}, {"ns1.cloud.test"}),
        ({"dev.": ["a.nic.test."]}, set()),
        ({}, None),
        (None, None),
    ],
    ids=["delegated", "not delegated", "without the internet", "no answer"],
)
def test_no_answer_is_told_from_no_delegation(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, list[str]] | None, expected: set[str] | None
) -> None:
    def resolve(_: Any, name: str, kind: str, **_options: Any) -> Any:
        if known is None:
            raise exception.Timeout
        if name not in known:
            raise resolver.NXDOMAIN
        return rrset.from_text_list(name, 60, "IN", rdatatype.from_text(kind), known[name])

    monkeypatch.setattr(resolver.Resolver, "resolve", resolve)
    assert name_servers("acme.dev") == expected
