"""What a round is: an operation, what is killed in it, and when. The seed and the round's number alone decide it."""

from __future__ import annotations

import random
from dataclasses import dataclass

OPERATIONS = {"up": 5.0, "change": 3.0, "preview": 3.0, "renewal": 3.0, "destroy": 5.0, "first up": 15.0}
"""The operations, and the seconds in which the moment of the kill falls: no more than each takes undisturbed."""
_WEIGHTS = {"up": 4, "change": 4, "preview": 3, "renewal": 4, "destroy": 1, "first up": 1}
"""How often each comes: what begins or ends with nothing takes twice as long as the rest."""

ENGINE, LANGUAGE_HOST = "engine", "language host"
CERT_MANAGER, ISTIOD, GATEWAY = "cert-manager", "istiod", "gateway"
API_SERVER, ETCD, ACME, DNS = "API server", "etcd", "ACME server", "DNS"
VICTIMS = (CERT_MANAGER, ENGINE, ACME, API_SERVER, GATEWAY, LANGUAGE_HOST, ETCD, ISTIOD, DNS)
_OF_PULUMI = {ENGINE, LANGUAGE_HOST}
_LONGEST = 3.0


@dataclass(frozen=True)
class Round:
    """One round.

    Attributes:
        seed: Of the run.
        number: Counted from 1.
        operation: A key of `OPERATIONS`.
        victim: One of `VICTIMS`.
        after: Seconds from the operation's begin to the kill.
        away: Seconds until the victim is started again, where nothing but us starts it.
    """

    seed: int
    number: int
    operation: str
    victim: str
    after: float
    away: float

    @property
    def command(self) -> str:
        """What repeats this round."""
        return f"make faults SEED={self.seed} ONLY={self.number}"


def draw(seed: int, number: int) -> Round:
    """Return a round. Each victim comes once in as many rounds as there are victims, in another order each time."""
    cycle, place = divmod(number - 1, len(VICTIMS))
    deck = list(VICTIMS)
    random.Random(f"{seed}/cycle {cycle}").shuffle(deck)  # noqa: S311 - no secret, and to be repeated
    dice = random.Random(f"{seed}/round {number}")  # noqa: S311
    # Nothing of Pulumi runs while cert-manager renews.
    possible = [each for each in OPERATIONS if not (deck[place] in _OF_PULUMI and each == "renewal")]
    operation = dice.choices(possible, [_WEIGHTS[each] for each in possible])[0]
    # The program ends before the engine does.
    window = OPERATIONS[operation] * (0.6 if deck[place] == LANGUAGE_HOST else 1.0)
    after, away = dice.uniform(0, window), dice.uniform(0, _LONGEST)
    return Round(seed, number, operation, deck[place], round(after, 1), round(away, 1))
