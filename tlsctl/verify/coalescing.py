"""Connection coalescing: a browser reuses a connection for another host that its certificate covers.

A browser may do so with HTTP/2 (RFC 9113, section 9.1.1). Envoy knows only the routes of the connection's server (SNI),
and answers 404 for those of another (istio#13589). After 421, the browser repeats the request over a new connection.
"""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from components.specs import names
from tlsctl.verify import requests
from tlsctl.verify.client import HTTP2, Answer, Trust, describe, tls
from tlsctl.verify.environment import Environment, probe_name
from tlsctl.verify.results import Result, ok, skipped

_CHECK = "coalescing"
_MISDIRECTED = 421
_WINDOW = 2**24


def shared(environment: Environment) -> Iterator[tuple[str, list[str]]]:
    """Yield, for each certificate of several hosts, the host to connect to and the others that a browser requests."""
    for certificate in environment.certificates.values():
        # Only over a connection to a wildcard's name does a browser request hosts of other certificates.
        via = next((host for host in certificate if names.is_wildcard(host)), certificate[0])
        others = [host for host in environment.hosts if host != via and _covers(certificate, host)]
        if others:
            yield via, others


def _covers(certificate: Sequence[str], host: str) -> bool:
    return host in certificate or any(names.covers(name, probe_name(host)) for name in certificate)


def look(environment: Environment, via: str, others: Sequence[str], trust: Trust) -> list[Result]:
    """Send requests for the other hosts that a certificate covers over the connection to one of them."""
    if environment.settings.tls.client_ca and not trust.identified:
        return [skipped(_CHECK, host, "needs --client-cert FILE") for host in others]
    probes = {host: requests.probes(environment.hosts[host])[0] for host in others}
    try:
        with closing(tls(environment, via, trust.http2)) as connection:
            if connection.selected_alpn_protocol() != HTTP2:
                return [skipped(_CHECK, host, "the gateway does not offer HTTP/2") for host in others]
            answers = ask(connection, probes)
    except (OSError, h2.exceptions.ProtocolError) as error:
        # A connection that fails is reported for the host that it is made to.
        return [skipped(_CHECK, host, f"over the connection of {via}: {describe(error)}") for host in others]
    return [_judge(environment, via, host, probes[host], answers[host]) for host in others]


def _judge(environment: Environment, via: str, host: str, probe: requests.Probe, answer: Answer) -> Result:
    if answer.status == _MISDIRECTED:
        return ok(_CHECK, host, f"421 over the connection of {via}: a browser opens another one")
    route = requests.judge_route(environment, host, {probe: answer})
    detail = f"over the connection of {via}: {route.detail}"
    return environment.failed(_CHECK, host, detail) if route.state == "failed" else ok(_CHECK, host, detail)


def ask(connection: ssl.SSLSocket, probes: Mapping[str, requests.Probe]) -> dict[str, Answer]:
    """Send a request for each host over one HTTP/2 connection, and return the answers without their bodies.

    Raises:
        OSError: there is no answer.
        h2.exceptions.ProtocolError: the answer is not HTTP/2.
    """
    session = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    session.initiate_connection()
    # Bodies count against the window even though they are not read: a long page must not block the next answer.
    session.increment_flow_control_window(_WINDOW)
    return {host: _answer(connection, session, probe_name(host), probe) for host, probe in probes.items()}


def _answer(
    connection: ssl.SSLSocket, session: h2.connection.H2Connection, authority: str, probe: requests.Probe
) -> Answer:
    stream = session.get_next_available_stream_id()
    target = [(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", probe.path)]
    session.send_headers(stream, [*target, ("user-agent", "verify"), *probe.headers], end_stream=True)
    connection.sendall(session.data_to_send())
    while data := connection.recv(65536):
        for event in session.receive_data(data):
            ended = isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated)
            if ended and getattr(event, "stream_id", stream) == stream:
                raise ConnectionResetError
            if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                headers = {str(name): str(value) for name, value in event.headers}
                # A short body has arrived with the headers, and the stream is closed already.
                with suppress(h2.exceptions.StreamClosedError):
                    session.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
                connection.sendall(session.data_to_send())
                return Answer(int(headers[":status"]), headers)
        connection.sendall(session.data_to_send())
    raise ConnectionResetError
