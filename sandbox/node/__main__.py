"""Run the node agent inside a sandbox's namespaces: `python -m sandbox.node --help`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.network import HOST
from sandbox.node import logs
from sandbox.node.agent import LOG_PORT, Agent
from sandbox.node.api import Api, ApiError
from sandbox.node.images import image_table

_API_THREADS = 16


async def run(arguments: argparse.Namespace) -> None:
    """Run the node until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_API_THREADS, thread_name_prefix="api"))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    table = image_table(arguments.bin_dir, arguments.envoy, arguments.envoy_bootstrap)
    agent = Agent(Api(str(arguments.kubeconfig)), table, arguments.root, arguments.log_dir)
    if arguments.tls_cert_file:
        logs.serve((HOST, LOG_PORT), arguments.tls_cert_file, arguments.tls_private_key_file, agent.log_file)
    await agent.run(stop)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.node", description="The sandbox's node: Pods as processes."
    )
    parser.add_argument("--kubeconfig", type=Path, required=True, help="an administrator's kubeconfig")
    parser.add_argument("--bin-dir", type=Path, required=True, help="programs that stand for images")
    parser.add_argument("--envoy", type=Path, required=True, help="the Envoy binary")
    parser.add_argument("--envoy-bootstrap", type=Path, required=True, help="Istio's Envoy bootstrap template")
    parser.add_argument("--root", type=Path, required=True, help="directory for Pods' files, on a tmpfs")
    parser.add_argument("--log-dir", type=Path, required=True, help="directory for containers' output")
    parser.add_argument("--tls-cert-file", type=Path, help="serving certificate for kubectl logs; not served without")
    parser.add_argument("--tls-private-key-file", type=Path, help="its key")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(run(arguments))
    except ApiError as error:
        sys.exit(f"the API server refused the node: {error}")


if __name__ == "__main__":
    main()
