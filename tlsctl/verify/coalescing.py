"""One connection, many hosts: what a browser does that has a connection whose certificate is good for another host too.

With HTTP/2 it asks for that host over the connection it has (RFC 9113, section 9.1.1). Envoy knows only the routes of
the server that the connection's name (SNI) belongs to: where those of the other host are elsewhere, it answers 404
(istio#13589). A browser takes 421, asks again over a connection of its own, and nobody notices.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from components.specs import names
from tlsctl.verify import requests
from tlsctl.verify.connections import HTTP2, Answer, tls, words
from tlsctl.verify.environment import Environment, probe_name
from tlsctl.verify.results import Result

if TYPE_CHECKING:
    from tlsctl.verify.trust import Trust

CHECK = "coalescing"
MISDIRECTED = 421
_READ = 65536
_WINDOW = 2**24


def shared(environment: Environment) -> Iterator[tuple[str, list[str]]]:
    """Yield the hosts that a browser may ask for over one connection: the host that it is made for, and the others.

    There is a connection for each certificate that is good for more than one host.
    """
    for own in environment.certificates.values():
        first, *_ = own
        # A connection by a wildcard's name is the one that another certificate's host is asked over.
        via = next((host for host in own if names.is_wildcard(host)), first)
        others = [host for host in environment.hosts if host != via and _is_good_for(own, host)]
        if others:
            yield via, others


def _is_good_for(certificate: Sequence[str], host: str) -> bool:
    return host in certificate or any(names.covers(name, probe_name(host)) for name in certificate)


def look(environment: Environment, via: str, others: Sequence[str], trust: Trust) -> list[Result]:
    """Ask for other hosts over the connection of one.

    Args:
        environment: of the hosts.
        via: the host that the connection is made for.
        others: the hosts that its certificate is good for as well.
        trust: the client.
    """
    if environment.settings.tls.client_ca and not trust.identified:
        return [Result(CHECK, host, "skipped", "needs --client-cert FILE") for host in others]
    asked = {host: requests.probes(environment.hosts[host])[0] for host in others}
    try:
        with closing(tls(environment, via, trust.http2)) as connection:
            if connection.selected_alpn_protocol() != HTTP2:
                return [Result(CHECK, host, "skipped", "the gateway speaks no HTTP/2") for host in others]
            answers = ask(connection, asked)
    except (OSError, h2.exceptions.ProtocolError) as error:
        # That the connection cannot be made is its own host's failure.
        return [Result(CHECK, host, "skipped", f"over the connection of {via}: {words(error)}") for host in others]
    return [_judged(environment, via, host, asked[host], answers[host]) for host in others]


def _judged(environment: Environment, via: str, host: str, probe: requests.Probe, answer: Answer) -> Result:
    if answer.status == MISDIRECTED:
        return Result(CHECK, host, "ok", f"421 over the connection of {via}: a browser makes another one")
    found = requests.judge_route(environment, host, {probe: answer})
    detail = f"over the connection of {via}: {found.detail}"
    if found.state == "failed":
        return Result(CHECK, host, "failed", detail, environment.fix(CHECK, host=host))
    return Result(CHECK, host, "ok", detail)


def ask(connection: ssl.SSLSocket, asked: Mapping[str, requests.Probe]) -> dict[str, Answer]:
    """Make a request for each host over one connection of HTTP/2, and return the answers without their bodies.

    Raises:
        OSError: there is no answer.
        h2.exceptions.ProtocolError: the answer is not HTTP/2.
    """
    session = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    session.initiate_connection()
    # What is not read counts as well, and a long page must not hold up the next answer.
    session.increment_flow_control_window(_WINDOW)
    return {host: _answer(connection, session, probe_name(host), probe) for host, probe in asked.items()}


def _answer(
    connection: ssl.SSLSocket, session: h2.connection.H2Connection, authority: str, probe: requests.Probe
) -> Answer:
    stream = session.get_next_available_stream_id()
    target = [(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", probe.path)]
    session.send_headers(stream, [*target, ("user-agent", "verify"), *probe.headers], end_stream=True)
    connection.sendall(session.data_to_send())
    while data := connection.recv(_READ):
        for event in session.receive_data(data):
            ended = isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated)
            if ended and getattr(event, "stream_id", stream) == stream:
                raise ConnectionResetError
            if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                headers = {str(name): str(value) for name, value in event.headers}
                # The body is not read; a short one has come with the headers.
                with suppress(h2.exceptions.StreamClosedError):
                    session.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
                connection.sendall(session.data_to_send())
                return Answer(int(headers[":status"]), headers)
        connection.sendall(session.data_to_send())
    raise ConnectionResetError
