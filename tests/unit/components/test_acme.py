"""ACME: which names share a certificate, and which environment an issuer belongs to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.specs import acme
from components.specs.acme import DIRECTORIES, environment_of, group_names, issuer_name

hosts = st.integers(1, 260).map(lambda count: [f"h{number}.sandbox.test" for number in range(count)])
groupings: st.SearchStrategy[Any] = st.sampled_from(["shared", "perHost"])
profiles = st.sampled_from([None, "classic", "tlsserver", "shortlived"])


class TestCertificateGroups:
    @given(hosts, groupings, profiles)
    def test_each_host_is_in_one_certificate_within_the_profiles_limit(
        self, names: list[str], grouping: Any, profile: str | None
    ) -> None:
        groups = group_names(names, grouping, "certs", profile)
        limit = 25 if profile in {"tlsserver", "shortlived"} else 100

        assert [host for group in groups.values() for host in group] == names, "each once, in the given order"
        assert all(len(group) <= limit for group in groups.values()), "the CA signs no more names at once"

    @given(hosts, groupings, profiles)
    def test_appending_a_host_reissues_at_most_one_certificate(
        self, names: list[str], grouping: Any, profile: str | None
    ) -> None:
        before = group_names(names, grouping, "certs", profile)
        after = group_names([*names, "new.sandbox.test"], grouping, "certs", profile)

        changed = [secret for secret, group in before.items() if after[secret] != group]
        assert len(changed) <= 1, "each reissue counts against the CA's limits"

    @given(hosts, st.randoms())
    def test_per_host_the_order_does_not_matter(self, names: list[str], random: Any) -> None:
        shuffled = random.sample(names, len(names))

        assert group_names(names, "perHost", "certs", None) == group_names(shuffled, "perHost", "certs", None), (
            "no certificate is reissued by reordering"
        )


@pytest.mark.parametrize(
    ("server", "issuer", "environment"),
    [
        (DIRECTORIES["prod"], "anything", "prod"),
        (DIRECTORIES["staging"], issuer_name("prod"), "staging"),
        ("https://ca.test/dir", issuer_name("prod"), "prod"),
        ("https://ca.test/dir", "internal", None),
    ],
)
def test_the_acme_server_tells_the_environment_and_the_name_only_where_it_cannot(
    server: str, issuer: str, environment: str | None
) -> None:
    assert environment_of(server, issuer) == environment


KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


@pytest.mark.parametrize("key", [KEY, f" {KEY}\n", f"{KEY[:-2]}==", KEY.replace("z", "+")])
def test_an_hmac_key_is_base64url_without_padding_however_a_ca_writes_it(key: str) -> None:
    assert not set("+/= \n") & set(acme.mac_key(key)), "cert-manager takes no other alphabet, and no padding"


@pytest.mark.parametrize("key", ["", "not base64!", "c2hvcnQ"])
def test_another_text_is_refused_as_an_hmac_key(key: str) -> None:
    with pytest.raises(ValueError, match=r"is (not base64url|shorter)"):
        acme.mac_key(key)
