"""A round: an operation, the part that is killed in it, and when; decided by the seed and the round's number alone."""

import random
from dataclasses import dataclass

OPERATIONS = {"up": 5.0, "change": 3.0, "preview": 3.0, "renewal": 3.0, "destroy": 5.0, "first up": 15.0}
"""The operations, and the seconds in which the kill falls: no more than the operation takes undisturbed."""
_WEIGHTS = {"up": 4, "change": 4, "preview": 3, "renewal": 4, "destroy": 1, "first up": 1}
"""How often an operation comes: one that begins or ends with an empty cluster takes twice as long."""

ENGINE, LANGUAGE_HOST = "engine", "language host"
CERT_MANAGER, ISTIOD, GATEWAY = "cert-manager", "istiod", "gateway"
API_SERVER, ETCD, ACME, DNS = "API server", "etcd", "ACME server", "DNS"
VICTIMS = (CERT_MANAGER, ENGINE, ACME, API_SERVER, GATEWAY, LANGUAGE_HOST, ETCD, ISTIOD, DNS)
_OF_PULUMI = {ENGINE, LANGUAGE_HOST}
_LONGEST = 3.0


@dataclass(frozen=True)
class Round:
    """A round; the kill comes `after` seconds, and a part that does not restart by itself stays `away` for others."""

    seed: int
    number: int
    operation: str
    victim: str
    after: float
    away: float

    @property
    def command(self) -> str:
        """The command that repeats this round."""
        return f"make faults SEED={self.seed} ONLY={self.number}"


def draw(seed: int, number: int) -> Round:
    """Return a round. Each cycle of rounds has every victim once, in another order."""
    cycle, place = divmod(number - 1, len(VICTIMS))
    deck = list(VICTIMS)
    random.Random(f"{seed}/cycle {cycle}").shuffle(deck)  # noqa: S311 - no secret, and to be repeated
    dice = random.Random(f"{seed}/round {number}")  # noqa: S311
    # Nothing of Pulumi runs while cert-manager renews.
    possible = [name for name in OPERATIONS if not (deck[place] in _OF_PULUMI and name == "renewal")]
    operation = dice.choices(possible, [_WEIGHTS[name] for name in possible])[0]
    # The program ends before the engine does.
    window = OPERATIONS[operation] * (0.6 if deck[place] == LANGUAGE_HOST else 1.0)
    after, away = dice.uniform(0, window), dice.uniform(0, _LONGEST)
    return Round(seed, number, operation, deck[place], round(after, 1), round(away, 1))
