"""DNS over UDP and TCP (RFC 1035, section 4.2; RFC 7766)."""

import logging
import socketserver
import threading

import dns.message
import dns.rcode

from sandbox.googlecloud.authority import EDNS_PAYLOAD, Authority

log = logging.getLogger(__name__)

_PLAIN_UDP = 512  # bytes, what a client without EDNS takes
_TCP_IDLE = 10.0  # seconds


def respond(authority: Authority, wire: bytes, *, udp: bool) -> bytes:
    """Return the response to a query, both in wire format."""
    query = dns.message.from_wire(wire)
    try:
        response = authority.respond(query)
        size = min(max(query.payload, _PLAIN_UDP), EDNS_PAYLOAD) if udp else 0xFFFF
        return response.to_wire(max_size=size, prefer_truncation=True)
    except Exception:  # the client gets an answer, the log the reason
        log.exception("query %s", query.question)
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.SERVFAIL)
        return response.to_wire()


class _UDPServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = 0xFFFF
    authority: Authority


class _TCPServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    authority: Authority


class _UDPHandler(socketserver.BaseRequestHandler):
    server: _UDPServer

    def handle(self) -> None:
        wire, sock = self.request
        sock.sendto(respond(self.server.authority, wire, udp=True), self.client_address)


class _TCPHandler(socketserver.StreamRequestHandler):
    server: _TCPServer
    timeout = _TCP_IDLE

    def handle(self) -> None:
        try:
            while len(prefix := self.rfile.read(2)) == 2:
                wire = self.rfile.read(int.from_bytes(prefix, "big"))
                reply = respond(self.server.authority, wire, udp=False)
                self.wfile.write(len(reply).to_bytes(2, "big") + reply)
        except OSError:  # the client was idle for too long, or has left
            return


class DnsServer:
    """Serves an authority on one address, over UDP and TCP; port 0 selects a free one.

    Raises:
        OSError: the address is in use.
    """

    def __init__(self, authority: Authority, host: str, port: int) -> None:
        self._tcp = _TCPServer((host, port), _TCPHandler)
        self.port = int(self._tcp.server_address[1])
        try:
            self._udp = _UDPServer((host, self.port), _UDPHandler)
        except OSError:
            self._tcp.server_close()
            raise
        self._tcp.authority = self._udp.authority = authority

    def start(self) -> None:
        """Serve, in two threads."""
        for server in (self._tcp, self._udp):
            threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
