"""Run the node agent inside a sandbox until SIGTERM: ``python -m sandbox.node``."""

import asyncio
import logging
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

from sandbox import paths
from sandbox.api import ApiError
from sandbox.node.agent import Agent
from sandbox.node.api import Api

_API_THREADS = 16


async def run() -> None:
    """Run the node until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_API_THREADS, thread_name_prefix="api"))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Agent(Api(str(paths.KUBECONFIG))).run(stop)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    try:
        asyncio.run(run())
    except ApiError as error:
        sys.exit(f"the API server refused the node: {error}")
