"""CAA: what is written for a name, and who may sign by what is there."""

import pytest

from components.caa_records import replaced
from components.specs import caa

LE = caa.LETS_ENCRYPT
PROD, STAGING = "https://acme.test/acct/1", "https://staging.test/acct/2"


def refusal(*records: str, host: str = "shop.acme.dev", challenge: str = "http01", account: str | None = PROD) -> str:
    return caa.refusal([caa.Record.parse(record) for record in records], host, challenge, [LE], account)


def test_a_name_allows_each_account_by_its_challenge_and_no_wildcard() -> None:
    assert caa.records({False: "http01"}, [LE], [PROD, STAGING]) == [
        f'0 issue "letsencrypt.org; accounturi={PROD}; validationmethods=http-01"',
        f'0 issue "letsencrypt.org; accounturi={STAGING}; validationmethods=http-01"',
        '0 issuewild ";"',
    ]


def test_the_domain_of_a_wildcard_alone_says_nothing_of_other_certificates() -> None:
    assert caa.records({True: "dns01"}, [LE], [PROD]) == [
        f'0 issuewild "letsencrypt.org; accounturi={PROD}; validationmethods=dns-01"'
    ], "other people's names below it keep the CA that they have"


def test_a_wildcard_and_its_domain_share_one_record_set() -> None:
    hosts = {"acme.dev": "http01", "*.acme.dev": "dns01", "shop.acme.dev": "http01"}
    assert caa.owners(hosts) == {"acme.dev": {False: "http01", True: "dns01"}, "shop.acme.dev": {False: "http01"}}


@pytest.mark.parametrize("host", ["shop.acme.dev", "*.acme.dev"])
@pytest.mark.parametrize("account", [PROD, None])
def test_what_is_written_lets_the_account_sign(host: str, account: str | None) -> None:
    served = {host.startswith("*."): "dns01"}
    records = caa.records(served, [LE], [PROD, STAGING])
    assert refusal(*records, host=host, challenge="dns01", account=account) == ""


@pytest.mark.parametrize(
    ("records", "host", "words"),
    [
        ([], "shop.acme.dev", ""),
        (['0 iodef "mailto:a@b.test"'], "shop.acme.dev", ""),
        (['0 issue "letsencrypt.org"'], "shop.acme.dev", ""),
        (['0 issue "LetsEncrypt.org"'], "shop.acme.dev", ""),
        (['0 issue "letsencrypt.org"', '0 issue "theirs.test"'], "shop.acme.dev", ""),
        (['0 issue "theirs.test"'], "shop.acme.dev", "theirs.test alone may sign"),
        (['0 issue ";"'], "shop.acme.dev", "nobody alone may sign"),
        (['0 issuewild ";"'], "shop.acme.dev", ""),
        (['0 issuewild ";"'], "*.acme.dev", "nobody alone may sign"),
        (['0 issue "letsencrypt.org"'], "*.acme.dev", ""),
        (['0 issue "letsencrypt.org"', '0 issuewild "theirs.test"'], "*.acme.dev", "theirs.test alone may sign"),
        ([f'0 issue "letsencrypt.org; accounturi={STAGING}"'], "shop.acme.dev", "other accounts alone may ask"),
        (['0 issue "letsencrypt.org; validationmethods=dns-01"'], "shop.acme.dev", "by dns-01 alone"),
        (['0 issue "letsencrypt.org; validationmethods=dns-01,http-01"'], "shop.acme.dev", ""),
    ],
)
def test_who_may_sign(records: list[str], host: str, words: str) -> None:
    reason = refusal(*records, host=host)
    assert words in reason
    assert bool(words) is bool(reason), reason


def test_another_ca_than_lets_encrypt_has_to_say_who_it_is() -> None:
    assert caa.identities(["https://acme-v02.api.letsencrypt.org/directory"]) == [LE]
    assert caa.identities(["https://acme-v02.api.letsencrypt.org/directory", "https://ca.test/dir"]) is None


def test_the_command_that_deletes_the_records_of_others_names_the_project_of_their_zone() -> None:
    problem = replaced("a.test", ['0 issue "ca.test"'], "zone-a", "dns-project", {})
    assert problem.fix[0].startswith(
        "gcloud dns record-sets delete a.test. --zone zone-a --project dns-project --type CAA"
    )
