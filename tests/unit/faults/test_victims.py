"""The processes that are killed, and the words of failures that name them."""

import os
import re
import subprocess

import pytest

from tests.faults import draw, invariants
from tests.faults.invariants import Ended
from tests.faults.victims import CAUSES, processes

REFUSED = "HTTPSConnection(host='10.244.0.1', port=6443): Failed to establish a new connection: Connection refused"
SEEN = [
    (draw.LANGUAGE_HOST, "error: failed to discover package requirements: error reading from server: EOF"),
    (
        draw.LANGUAGE_HOST,
        'error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:34887: connect: connection refused"',
    ),
    (draw.API_SERVER, f"error: Service istio-system/istio-ingressgateway cannot be read: {REFUSED}"),
    (draw.API_SERVER, "error: Preview failed: failed to read resource state due to unreachable cluster."),
    (draw.ETCD, "cannot be read: HTTPSConnectionPool(host='10.244.0.1', port=6443): Read timed out. (read timeout=5)"),
    (draw.DNS, "* cannot reach Cloud DNS at http://127.0.0.1:8053/dns/v1/: [Errno 111] Connection refused"),
    (draw.ACME, "letsencrypt-staging-istio has an account that the ACME server does not know"),
]
ALIKE = [{draw.API_SERVER, draw.ETCD}, {draw.ACME, draw.DNS}]
"""Parts that one failure may name: only the API server talks to etcd, and the ACME server asks DNS."""
ALWAYS = """Updating (faults):
    pulumi:pulumi:Stack faults  warning: using pulumi-language-python from $PATH at /bin/pulumi-language-python
Diagnostics:
  pulumi:pulumi:Stack (faults):
    warning: using pulumi-language-python from $PATH at /bin/pulumi-language-python
    error: an unhandled error occurred: program exited with non-zero exit code: 1

Outputs:
  - dnsRecords            : {
  - issuer                : "letsencrypt-staging-istio"
"""


def test_a_process_in_a_session_of_its_own_is_found_by_its_parent() -> None:
    # The engine starts its plugins like this.
    pipe = subprocess.PIPE
    with subprocess.Popen(["cat", "-"], stdin=pipe, stdout=pipe, start_new_session=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"x")
        child.stdin.flush()
        child.stdout.read(1)  # Its arguments are in /proc only when it runs.
        assert child.pid in processes("cat", "-", parent=os.getpid())
        assert child.pid in processes("cat", "-")
        assert child.pid not in processes("cat", "--"), "with other arguments it is another one"
        assert child.pid not in processes("cat", "-", parent=child.pid), "nor is it another's"
        child.stdin.close()


@pytest.mark.parametrize(("victim", "words"), SEEN)
def test_the_words_of_a_failure_name_the_part_that_was_killed(victim: str, words: str) -> None:
    naming = {part for part, cause in CAUSES.items() if re.search(cause, words, re.IGNORECASE)}
    assert victim in naming, "it was killed"
    assert naming == {victim} or naming in ALIKE, "and no other was"


@pytest.mark.parametrize("victim", CAUSES)
def test_the_output_of_every_command_names_no_cause(victim: str) -> None:
    ended = Ended("up", 1, ALWAYS, 1.0, bound=10.0)
    assert invariants.cause_is_named([ended], CAUSES[victim]), "the cause is missing"
    assert set(CAUSES) == set(draw.VICTIMS)
