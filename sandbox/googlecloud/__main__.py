"""Run the emulator inside a sandbox until SIGTERM: ``python -m sandbox.googlecloud``."""

import logging
import signal
import sys
import threading
from pathlib import Path

from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from sandbox import acme, google, network, paths
from sandbox.googlecloud.api import make_app
from sandbox.googlecloud.authority import Authority
from sandbox.googlecloud.cluster import Pods, ServiceZone
from sandbox.googlecloud.gke import Clusters
from sandbox.googlecloud.iam import Iam, metadata_app
from sandbox.googlecloud.server import DnsServer
from sandbox.googlecloud.zones import NAME_SERVERS, StaticZone, Zones


def main() -> int:
    """Serve until SIGTERM or SIGINT; the exit code is 1 when an address is in use."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # the emulator logs changes itself
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # retries until the API server is up

    zones = Zones(google.PROJECT)
    zones.create({"name": google.ZONE, "dnsName": f"{acme.ZONE}.", "description": "The zone of the sandbox"})
    hosts = {directory.host: directory.address for directory in acme.DIRECTORIES} | {google.DNS_API: google.ADDRESS}
    # The name servers of the zones are this server, for clients that ask them directly.
    hosts |= dict.fromkeys(NAME_SERVERS, network.HOST)
    static = [StaticZone.host(name, [address]) for name, address in hosts.items()]
    services, pods = ServiceZone(str(paths.KUBECONFIG)), Pods(str(paths.KUBECONFIG))
    services.start()
    pods.start()
    iam, clusters = Iam(google.PROJECT, pods.identity), Clusters(google.PROJECT, paths.PKI / "ca.crt")
    app = make_app(zones, iam, clusters)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        dns = DnsServer(Authority(lambda: [*static, services, *zones.public, *clusters.hosts]), network.HOST, 53)
        dns.start()  # first: each listener looks up the name of its address
        listeners = [
            _listener(app, *google.REST),
            _listener(app, google.ADDRESS, 443, google.API_CERTIFICATE),
            _listener(metadata_app(iam), google.ADDRESS, 80),
        ]
    except OSError as error:
        print(f"cloud-dns: cannot listen: {error}", file=sys.stderr)
        return 1
    for listener in listeners:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
    stop.wait()
    return 0


def _listener(app: Flask, host: str, port: int, certificate: Path | None = None) -> BaseWSGIServer:
    tls = (str(certificate), str(certificate.with_suffix(".key"))) if certificate else None
    return make_server(host, port, app, threaded=True, ssl_context=tls)


if __name__ == "__main__":
    sys.exit(main())
