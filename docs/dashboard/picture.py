"""``python -m docs.dashboard.picture``: in a sandbox, draw the dashboard of a stack whose certificates last 75 s.

Grafana's own components draw it in a Chromium (page.jsx), from the dashboard that is in the cluster and from what a
Prometheus has scraped. After a while one host's record is taken away, so that its certificate cannot be renewed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from sandbox import chromium
from tests.sandbox.stack import Stack
from tests.sandbox.support import cloud_dns, items

HERE = Path(__file__).parent
PICTURE = HERE.parent / "dashboard.png"
HOSTS = {"shop": ("shop", 80), "pay": ("shop", 80), "api": ("api", 8080)}
"""Application of each host, and its port; `pay` is the one whose certificate expires."""
PROMETHEUS = "127.0.0.1:9090"
INTERVAL = 5
"""Seconds between two scrapes, and between two points of a graph."""
GOOD, BAD = 210, 120
"""Seconds for which all is well, and then is not."""
_TIMEOUT = 60.0

_SCRAPED = {
    "global": {"scrape_interval": f"{INTERVAL}s"},
    "scrape_configs": [
        {
            "job_name": "cert-manager",
            "static_configs": [
                {
                    "targets": ["cert-manager.cert-manager.svc.cluster.local:9402"],
                    # As every monitor has it: the Certificate's own becomes `exported_namespace`.
                    "labels": {"namespace": "cert-manager"},
                }
            ],
        }
    ],
}


def main() -> int:
    """Draw it."""
    with tempfile.TemporaryDirectory() as folder, prometheus(Path(folder)):
        stack = Stack("dashboard", Path(folder))
        stack.configure(
            acme={"profile": "minutes"},
            certificate={"secretName": "certs", "grouping": "perHost"},
            dashboard=True,
            hosts=[
                {"host": f"{name}.sandbox.test", "service": app, "namespace": app, "port": port}
                for name, (app, port) in HOSTS.items()
            ],
        )
        stack.up()
        begin = int(time.time())
        time.sleep(GOOD)
        cloud_dns("DELETE", "/pay.sandbox.test./A")
        time.sleep(BAD)
        (config,) = (each for each in items("configmap") if "grafana_dashboard" in each["metadata"].get("labels", {}))
        dashboard = json.loads(config["data"]["certificates.json"])
        times = (begin, int(time.time()))
        series = {panel["id"]: asked(panel["targets"][0]["expr"], *times) for panel in dashboard["panels"]}
        draw({"dashboard": dashboard, "range": times, "interval": INTERVAL, "series": series})
    return 0


@contextmanager
def prometheus(folder: Path) -> Iterator[None]:
    """Run one that scrapes cert-manager."""
    config = folder / "prometheus.yaml"
    config.write_text(json.dumps(_SCRAPED))
    options = [f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={PROMETHEUS}"]
    with (
        (folder / "prometheus.log").open("w") as log,
        subprocess.Popen(["prometheus", *options], stdout=log, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def asked(expression: str, begin: int, end: int) -> list[dict[str, Any]]:
    """Return what Prometheus answers to a query over a range of time: series with `metric` and `values`."""
    query = urllib.parse.urlencode({"query": expression, "start": begin, "end": end, "step": INTERVAL})
    with urllib.request.urlopen(f"http://{PROMETHEUS}/api/v1/query_range?{query}", timeout=_TIMEOUT) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


def draw(shown: dict[str, Any]) -> None:
    """Write the picture.

    Raises:
        SystemExit: the page failed; with what it said.
    """
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.program(), args=["--font-render-hinting=none"],
            env={**os.environ, **chromium.environment(), "HOME": home}, chromium_sandbox=False,
        )  # fmt: skip
        try:
            page = browser.new_page(locale="en-US")
            failures: list[str] = []
            page.on("pageerror", lambda error: failures.append(str(error)))
            page.add_init_script(f"window.shown = {json.dumps(shown)}")
            page.goto((HERE / "page.html").as_uri())
            page.locator("#dashboard canvas").last.wait_for()
            page.locator("#dashboard").screenshot(path=PICTURE)
        finally:
            browser.close()
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    sys.exit(main())
