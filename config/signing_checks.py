"""Rules between the keys about who signs, and the cert-manager that asks for it."""

from collections.abc import Iterator

from components.problem import Problem
from components.specs import acme, cert_manager

from .keys import Keys
from .problems import HIDDEN, Path


def signing_checks(stack: Keys) -> Iterator[Problem]:
    """Yield the problems of external accounts, and of what a version of cert-manager does not know."""
    yield from _external_accounts(stack)
    yield from _since_1_21_2(stack)


def _external_accounts(stack: Keys) -> Iterator[Problem]:
    accounts = stack.section("acme").get("externalAccount")
    accounts = accounts if isinstance(accounts, dict) else {}
    for environment in acme.ENVIRONMENTS:
        account = accounts.get(environment)
        if not isinstance(account, dict):
            continue
        path: Path = ["acme", "externalAccount", environment, "keySecret"]
        fix = stack.set(path, "HMAC_KEY", secret=True)
        given, named = account.get("keySecret") is not None, account.get("secretName") is not None
        if given and "acme" not in stack.secret:
            reason = "stands in plain text in the stack's file: replace it at the CA"
            yield stack.problem(path, reason, "an HMAC key as a secret", fix, HIDDEN)
        if given and named:
            accepted = "keySecret, or secretName"
            yield stack.problem(path, "contradicts secretName", accepted, stack.remove(path), HIDDEN)
        elif not given and not named:
            yield stack.problem(path, "is missing", "keySecret as a secret, or secretName", fix)


def _since_1_21_2(stack: Keys) -> Iterator[Problem]:
    """Yield what cert-manager has had since 1.21.2 alone: another one ignores it, or does not start."""
    section = stack.section("certManager")
    version = str(section.get("version", cert_manager.VERSION))
    if cert_manager.at_least(version, (1, 21, 2)):
        return
    path: Path = ["certManager", "version"]
    accepted, fix = "v1.21.2 and later with it", stack.set(path, cert_manager.VERSION)
    if stack.section("acme").get("waitInsteadOfSelfCheck") is not None:
        yield stack.problem(path, "does not know acme.waitInsteadOfSelfCheck", accepted, fix, version)
    if cert_manager.uses_ari(section.get("values")):
        reason = "does not renew by ARI (featureGates: ACMEUseARI), or does so in a loop"
        yield stack.problem(path, reason, accepted, fix, version)
