"""Rules between the keys about who signs, and the cert-manager that asks for it."""

from collections.abc import Iterator, Mapping, Set
from typing import Any

from components.rules import acme, cert_manager
from components.rules.problem import Problem

from .problems import HIDDEN, Path, config_problem, dotted, set_command


def signing_checks(raw: Mapping[str, Any], secret: Set[str]) -> Iterator[Problem]:
    """Yield the problems of external accounts, and of what a version of cert-manager does not know.

    Args:
        raw: the config, decoded and not validated.
        secret: keys whose values are encrypted, and so must not be shown.
    """
    yield from _external_accounts(raw, secret)
    yield from _since_1_21_2(raw, secret)


def _section(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = raw.get(key)
    return section if isinstance(section, dict) else {}


def _external_accounts(raw: Mapping[str, Any], secret: Set[str]) -> Iterator[Problem]:
    accounts = _section(raw, "acme").get("externalAccount")
    accounts = accounts if isinstance(accounts, dict) else {}
    for environment in acme.ENVIRONMENTS:
        account = accounts.get(environment)
        if not isinstance(account, dict):
            continue
        path: Path = ["acme", "externalAccount", environment, "keySecret"]
        fix = f"pulumi config set --secret --path {dotted(path)}"
        given, named = account.get("keySecret") is not None, account.get("secretName") is not None
        if given and "acme" not in secret:
            reason = "stands in plain text in the stack's file: replace it at the CA"
            yield config_problem(path, "an HMAC key as a secret", fix, reason=reason, value=HIDDEN)
        if given and named:
            drop = f"pulumi config rm --path {dotted(path)}"
            yield config_problem(path, "keySecret, or secretName", drop, reason="contradicts secretName", value=HIDDEN)
        elif not given and not named:
            yield config_problem(path, "keySecret as a secret, or secretName", fix, reason="is missing")


def _since_1_21_2(raw: Mapping[str, Any], secret: Set[str]) -> Iterator[Problem]:
    """Yield what cert-manager has had since 1.21.2 alone: another one ignores it, or does not start."""
    section = _section(raw, "certManager")
    version = str(section.get("version", cert_manager.VERSION))
    shown = HIDDEN if "certManager" in secret else version
    if cert_manager.at_least(version, (1, 21, 2)):
        return
    path: Path = ["certManager", "version"]
    fix = set_command(path, cert_manager.VERSION)
    if _section(raw, "acme").get("waitInsteadOfSelfCheck") is not None:
        reason = "does not know acme.waitInsteadOfSelfCheck"
        yield config_problem(path, "v1.21.2 and later with it", fix, reason=reason, value=shown)
    if cert_manager.uses_ari(section.get("values")):
        reason = "does not renew by ARI (featureGates: ACMEUseARI), or does so in a loop"
        yield config_problem(path, "v1.21.2 and later with it", fix, reason=reason, value=shown)
