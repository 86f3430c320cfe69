"""Scenarios of the ACME server, and of what proves a name to it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from sandbox.acme import STAGING
from sandbox.instance import Instance
from sandbox.testing import caa, cloud_dns, eventually, items, kubectl, renew
from tests.faults.invariants import Ended
from tests.faults.operations import ISTIO, PATIENCE, SECRET, SHOP
from tests.faults.stage import IMPATIENCE, Scenario, Stage
from tests.faults.victims import wait_for

GIVEN_UP = 40
"""Seconds in which cert-manager has tried a request as often as it does."""
_SOLVER = "acme.cert-manager.io/http01-solver"
_CHALLENGES = "challenges.acme.cert-manager.io"
_CAA = f"/{SHOP['host']}./CAA"


class AccountLost(Scenario):
    """The CA has lost the account."""

    name = "account-lost"
    what = "the ACME server starts anew and has forgotten every account"
    cause = r"ClusterIssuer letsencrypt-staging-istio has an account that the ACME server does not know"

    def play(self, stage: Stage) -> Ended:
        """Have it forget, and ask it for a certificate."""
        sandbox = Instance.require(os.environ["SANDBOX"])
        with stage.fault():
            sandbox.request("kill", STAGING.part)
            sandbox.request("start", STAGING.part)
            stage.project.trust_again()
            return stage.up(IMPATIENCE)

    def put_right(self, stage: Stage) -> None:
        """Delete the account's key, as `verify` says to."""
        stage.project.register_anew()


class RateLimit(Scenario):
    """The CA signs no more for a while."""

    name = "rate-limit"
    what = "the ACME server answers every order with 429 and Retry-After"
    cause = r"429 urn:ietf:params:acme:error:rateLimited: too many certificates"

    def play(self, stage: Stage) -> Ended:
        """Ask for a certificate past the limit."""
        with stage.fault(), stage.acme.limited():
            # cert-manager has not always put the refusal into the Order ten seconds after it was created.
            return stage.up(2 * IMPATIENCE)

    def put_right(self, _: Stage) -> None:
        """Try again at once, as docs/operations.md says to."""
        renew(SECRET)


class NonceStorm(Scenario):
    """The CA's replicas do not know each other's nonces."""

    name = "nonce-storm"
    what = "the ACME server answers two in three requests with badNonce"

    def play(self, stage: Stage) -> Ended:
        """Ask for a certificate in it."""
        with stage.fault(), stage.acme.storm(two_in_three(stage.dice)):
            return stage.up(2 * PATIENCE)


def two_in_three(dice: random.Random) -> Callable[[str], bool]:
    """Return what says yes two times in three of each path, in an order that is drawn anew for each three.

    A client tries five times more, and so gets through: four times no is the most in a row.
    """
    drawn: dict[str, list[bool]] = {}

    def rejects(path: str) -> bool:
        left = drawn.setdefault(path, [])
        if not left:
            left.extend(dice.sample([True, True, False], 3))
        return left.pop()

    return rejects


class ChallengeErrored(Scenario):
    """cert-manager gives a challenge up, and the CA does not know."""

    name = "challenge-errored"
    what = "the ACME server answers whoever asks it to look at a challenge with badNonce, until cert-manager gives up"
    cause = r"Order: waits for a Challenge that cert-manager does not try again"

    def play(self, stage: Stage) -> Ended:
        """Ask for a certificate, and reject what follows the order."""
        with stage.fault(), stage.acme.storm(lambda path: path.startswith("/chalZ/")):
            return stage.up(GIVEN_UP)

    def put_right(self, _: Stage) -> None:
        """Delete the request, as the failure says to."""
        for each in items("certificaterequests", ISTIO):
            conditions = each.get("status", {}).get("conditions", [])
            if not any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions):
                kubectl("delete", "certificaterequest", each["metadata"]["name"], "-n", ISTIO)


class SolverPodDeleted(Scenario):
    """What answers the challenge goes away."""

    name = "solver-pod-deleted"
    what = "the solver's Pod is deleted while the challenge is pending"

    def play(self, stage: Stage) -> Ended:
        """Delete it at a moment of the challenge."""
        started = stage.start()
        eventually("a solver's Pod runs", running_solvers, 60)
        wait_for(stage.dice.uniform(0, 2), started.over)
        with stage.fault():
            kubectl("delete", "pods", *running_solvers(), "-n", ISTIO, "--grace-period=0", "--force", "--wait=false")
        if not any(each.get("status", {}).get("state") == "pending" for each in items(_CHALLENGES, ISTIO)):
            stage.broken.append("the challenge was over before its Pod was deleted")
        return started.end()


def running_solvers() -> list[str]:
    """Return the Pods that answer challenges."""
    return [
        each["metadata"]["name"]
        for each in items("pods", ISTIO)
        if _SOLVER in each["metadata"].get("labels", {}) and each.get("status", {}).get("phase") == "Running"
    ]


class CaaRefusal(Scenario):
    """A CAA record names another CA."""

    name = "caa-refusal"
    what = "a CAA record of the host names another CA alone"
    cause = r"403 urn:ietf:params:acme:error:caa: CAA record for shop\.sandbox\.test prevents issuance"

    def play(self, stage: Stage) -> Ended:
        """Ask for a certificate that the record forbids."""
        stage.acme.heeds_caa = True
        record = {"name": f"{SHOP['host']}.", "type": "CAA", "ttl": 1, "rrdatas": ['0 issue "theirs.test"']}
        with stage.fault():
            cloud_dns("POST", body=record)
            return stage.up(IMPATIENCE)

    def put_right(self, _: Stage) -> None:
        """Have the record name this CA too, and try again."""
        cloud_dns("PATCH", _CAA, {"rrdatas": ['0 issue "theirs.test"', f'0 issue "{caa.IDENTITY}"']})
        renew(SECRET)

    def clean(self, stage: Stage) -> None:
        """Delete the record."""
        stage.acme.heeds_caa = False
        if any(each["type"] == "CAA" for each in cloud_dns("GET")["rrsets"]):
            cloud_dns("DELETE", _CAA)
