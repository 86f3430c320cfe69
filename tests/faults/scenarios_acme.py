"""Scenarios of the ACME server, and of the proof of a name."""

import os
import random
from collections.abc import Callable, Iterator

from sandbox.acme import STAGING
from sandbox.instance import Instance
from sandbox.testing import ISTIO, caa, cloud_dns, eventually, items, kubectl, renew
from tests.faults.invariants import Ended
from tests.faults.operations import PATIENCE, SECRET
from tests.faults.stage import IMPATIENCE, Stage, scenario
from tests.faults.victims import wait_for
from tests.sandbox.stack import SHOP

_GIVEN_UP = 40
"""Seconds in which cert-manager makes all its attempts at a request."""
_SOLVER = "acme.cert-manager.io/http01-solver"
_CHALLENGES = "challenges.acme.cert-manager.io"
_CAA = f"/{SHOP['host']}./CAA"


@scenario(
    "account-lost",
    what="the ACME server restarts and has forgotten every account",
    ends="fails: `has an account that the ACME server does not know`, with the fix",
    fixed_by="that fix: the account's key is deleted; the next `up`",
    cause=r"ClusterIssuer letsencrypt-staging-istio has an account that the ACME server does not know",
)
def account_lost(stage: Stage) -> Iterator[Ended]:
    sandbox = Instance.require(os.environ["SANDBOX"])
    with stage.fault():
        sandbox.request("kill", STAGING.part)
        sandbox.request("start", STAGING.part)
        stage.project.trust_new_root()
        ended = stage.up(IMPATIENCE)
    yield ended
    stage.project.register_again()


@scenario(
    "rate-limit",
    what="the ACME server answers every order with 429 and Retry-After",
    ends="fails: `429 urn:ietf:params:acme:error:rateLimited`, and its words",
    fixed_by="`cmctl renew`, the next `up`",
    cause=r"429 urn:ietf:params:acme:error:rateLimited: too many certificates",
)
def rate_limit(stage: Stage) -> Iterator[Ended]:
    with stage.fault(), stage.acme.limited():
        # cert-manager sometimes takes more than ten seconds to write the refusal into the Order.
        ended = stage.up(2 * IMPATIENCE)
    yield ended
    renew(SECRET)


@scenario(
    "nonce-storm",
    what="the ACME server answers two in three requests with badNonce",
    ends="goes through: cert-manager sends them again",
)
def nonce_storm(stage: Stage) -> Iterator[Ended]:
    with stage.fault(), stage.acme.storm(two_in_three(stage.dice)):
        ended = stage.up(2 * PATIENCE)
    yield ended


def two_in_three(dice: random.Random) -> Callable[[str], bool]:
    """Return a function that rejects two of each three requests to a path, in a random order.

    A client tries five times more, and so gets through: at most four requests in a row are rejected.
    """
    drawn: dict[str, list[bool]] = {}

    def rejects(path: str) -> bool:
        left = drawn.setdefault(path, [])
        if not left:
            left.extend(dice.sample([True, True, False], 3))
        return left.pop()

    return rejects


@scenario(
    "challenge-errored",
    what="the ACME server answers requests to check a challenge with badNonce, until cert-manager gives up",
    ends="fails: `waits for a Challenge that cert-manager does not retry`, with the fix",
    fixed_by="that fix: the CertificateRequest is deleted; the next `up`",
    cause=r"Order: waits for a Challenge that cert-manager does not retry",
)
def challenge_errored(stage: Stage) -> Iterator[Ended]:
    with stage.fault(), stage.acme.storm(lambda path: path.startswith("/chalZ/")):
        ended = stage.up(_GIVEN_UP)
    yield ended
    for request in items("certificaterequests", ISTIO):
        conditions = request.get("status", {}).get("conditions", [])
        if not any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions):
            kubectl("delete", "certificaterequest", request["metadata"]["name"], "-n", ISTIO)


@scenario(
    "solver-pod-deleted",
    what="the solver's Pod is deleted while the challenge is pending",
    ends="goes through: cert-manager makes another Pod",
)
def solver_pod_deleted(stage: Stage) -> Iterator[Ended]:
    started = stage.start()
    eventually("a solver's Pod runs", _running_solvers, 60)
    wait_for(stage.dice.uniform(0, 2), started.over)
    with stage.fault():
        kubectl("delete", "pods", *_running_solvers(), "-n", ISTIO, "--grace-period=0", "--force", "--wait=false")
    if not any(challenge.get("status", {}).get("state") == "pending" for challenge in items(_CHALLENGES, ISTIO)):
        stage.broken.append("the challenge was over before its Pod was deleted")
    yield started.end()


def _running_solvers() -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in items("pods", ISTIO)
        if _SOLVER in pod["metadata"].get("labels", {}) and pod.get("status", {}).get("phase") == "Running"
    ]


@scenario(
    "caa-refusal",
    what="a CAA record of the host names only another CA",
    ends="fails: `403 urn:ietf:params:acme:error:caa`, and the name",
    fixed_by="the record, `cmctl renew`, the next `up`",
    cause=r"403 urn:ietf:params:acme:error:caa: CAA record for shop\.sandbox\.test prevents issuance",
)
def caa_refusal(stage: Stage) -> Iterator[Ended]:
    stage.acme.heeds_caa = True
    record = {"name": f"{SHOP['host']}.", "type": "CAA", "ttl": 1, "rrdatas": ['0 issue "theirs.test"']}
    stage.cleanup.callback(_remove_caa, stage)
    with stage.fault():
        cloud_dns("POST", body=record)
        ended = stage.up(IMPATIENCE)
    yield ended
    cloud_dns("PATCH", _CAA, {"rrdatas": ['0 issue "theirs.test"', f'0 issue "{caa.IDENTITY}"']})
    renew(SECRET)


def _remove_caa(stage: Stage) -> None:
    stage.acme.heeds_caa = False
    if any(record["type"] == "CAA" for record in cloud_dns("GET")["rrsets"]):
        cloud_dns("DELETE", _CAA)
