"""Runs the emulator until SIGTERM: `python -m sandbox.googlecloud --help`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from sandbox.googlecloud.access import metadata_app
from sandbox.googlecloud.authority import Authority, Zone
from sandbox.googlecloud.clusters import Clusters, ControlPlane
from sandbox.googlecloud.errors import ApiError
from sandbox.googlecloud.iam import Iam
from sandbox.googlecloud.rest import make_app
from sandbox.googlecloud.server import DnsServer
from sandbox.googlecloud.static import StaticZone
from sandbox.googlecloud.zones import NAME_SERVERS, Zones


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox.googlecloud", description="Emulates Cloud DNS.")
    add = parser.add_argument
    add("--rest", type=_address, required=True, metavar="HOST:PORT", help="serve the REST API here")
    add("--rest-tls", type=_address, metavar="HOST:PORT", help="and here over HTTPS")
    add("--tls-cert", metavar="FILE", help="the certificate of --rest-tls, PEM")
    add("--tls-key", metavar="FILE", help="its key, PEM")
    add("--metadata", type=_address, metavar="HOST:PORT", help="serve the metadata server here, for Pods")
    add("--dns", type=_address, required=True, metavar="HOST:PORT", help="serve DNS here, UDP and TCP")
    add("--project", default="sandbox", help="the one project there is (default: %(default)s)")
    add("--zone", type=_pair, action="append", default=[], metavar="NAME=DNSNAME.", help="a managed zone")
    add(
        "--host",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=ADDRESS",
        help="a host REST never lists",
    )
    add(
        "--control-plane",
        nargs=4,
        metavar=("ADDRESS", "PRIVATE", "REGION", "CA"),
        help="serve the container API for clusters with this API server",
    )
    add("--cluster-kubeconfig", metavar="FILE", help="answer for the Services of this cluster")
    return parser


def _static_zones(hosts: Iterable[tuple[str, str]], dns_host: str) -> list[StaticZone]:
    """The hosts of the command line; and the name servers, so that a client that asks them directly can."""
    addresses: dict[str, list[str]] = {name: [dns_host] for name in NAME_SERVERS}
    for name, address in hosts:
        addresses.setdefault(name.rstrip(".") + ".", []).append(address)
    return [StaticZone.host(name, found) for name, found in addresses.items()]


def _managed_zones(project: str, zones: Iterable[tuple[str, str]]) -> Zones:
    managed = Zones(project)
    for name, dns_name in zones:
        managed.create({"name": name, "dnsName": dns_name, "description": "The zone of the sandbox"})
    return managed


def _listener(app: Flask, address: tuple[str, int], tls: tuple[str, str] | None = None) -> BaseWSGIServer:
    host, port = address
    return make_server(host, port, app, threaded=True, ssl_context=tls)


def main(argv: list[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.rest_tls and not (args.tls_cert and args.tls_key):
        parser.error("--rest-tls needs --tls-cert and --tls-key")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # our own lines say what changed,
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # and what is waited for

    try:
        managed = _managed_zones(args.project, args.zone)
        static: list[Zone] = [*_static_zones(args.host, args.dns[0])]
    except (ApiError, ValueError) as error:
        parser.error(str(error))
    iam = Iam(args.project)
    if args.cluster_kubeconfig:
        from sandbox.googlecloud.pods import Pods  # the client library is slow to load
        from sandbox.googlecloud.services import ServiceZone

        services, pods = ServiceZone(args.cluster_kubeconfig), Pods(args.cluster_kubeconfig)
        static.append(services)
        services.start()
        pods.start()
        iam = Iam(args.project, pods.identity)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    clusters = None
    if args.control_plane:
        address, private, region, authority = args.control_plane
        clusters = Clusters(args.project, ControlPlane(address, private, region, Path(authority)))
    app = make_app(managed, iam, clusters)
    try:
        server = DnsServer(
            Authority(lambda: [*static, *managed.public, *(clusters.hosts if clusters else [])]), *args.dns
        )
        # A listener asks for the name of its address, which nobody else answers.
        server.start()
        listeners = [_listener(app, args.rest)]
        if args.rest_tls:
            listeners.append(_listener(app, args.rest_tls, (args.tls_cert, args.tls_key)))
        if args.metadata:
            listeners.append(_listener(metadata_app(iam), args.metadata))
    except OSError as error:
        print(f"clouddns: cannot listen: {error}", file=sys.stderr)
        return 1
    for listener in listeners:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
    rest = f"http://{args.rest[0]}:{listeners[0].port}/dns/v1/"
    print(f"clouddns: REST on {rest}, DNS on {args.dns[0]}:{server.port}", flush=True)
    stop.wait()
    for listener in listeners:
        listener.shutdown()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
