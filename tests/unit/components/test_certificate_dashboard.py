"""The dashboard: what Grafana's sidecar finds, and, by Prometheus' promtool, that each panel shows what it says."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.certificate_alerts import ACME_ERRORS
from components.certificate_dashboard import CertificateDashboard, document
from components.specs import renewal
from tests.unit.components.test_certificate_alerts import acme, evaluate, promtool
from tests.unit.harness import run

DAY = 24 * 60 * 60
NAMES = ["certs", "certs-2.shop"]
SHOWN: dict[str, Any] = json.loads(document("certificates-dashboard-dev", "Certificates", "istio-system", NAMES))
PANELS: list[dict[str, Any]] = SHOWN["panels"]
UNITS = {"none", "short", "s", "percentunit", "bool_yes_no"}
"""Grafana's ids of those that are used (@grafana/data, valueFormats/categories.ts)."""

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is missing: apt-get install -y prometheus"
)


def test_the_sidecar_finds_it_by_its_label() -> None:
    made = run(lambda: CertificateDashboard("dashboard", {"certificates": NAMES, "object_name": "certificates"}))

    (config,) = made.of("kubernetes:core/v1:ConfigMap")
    assert config.inputs["metadata"]["labels"] == {"grafana_dashboard": "1"}, "as Grafana's chart has it by default"
    assert json.loads(config.inputs["data"]["certificates.json"])["uid"] == "certificates", "it is replaced in place"


def test_every_panel_has_a_title_of_its_own_a_unit_and_a_source() -> None:
    assert len({panel["title"] for panel in PANELS}) == len(PANELS) > 8, "nothing is shown twice"
    assert len({panel["id"] for panel in PANELS}) == len(PANELS), "Grafana drops panels of one id"
    for panel in PANELS:
        assert panel["title"][0].isupper(), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}", "the reader says which Prometheus"
    assert SHOWN["templating"]["list"][0]["name"] == "datasource", "and chooses it at the top"
    assert len(SHOWN["uid"]) <= 40, "Grafana refuses a longer one"


def test_the_panels_fill_the_grid_and_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in PANELS):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, "they lie beside each other"
        taken |= cells
    assert taken == {(x, y) for x in range(24) for y in range(max(y for _, y in taken) + 1)}, "without holes"


def test_a_graph_draws_the_threshold_of_its_alert_in_red() -> None:
    drawn = {}
    for panel in (panel for panel in PANELS if panel["type"] == "timeseries"):
        defaults = panel["fieldConfig"]["defaults"]
        below, *above = defaults["thresholds"]["steps"]
        assert defaults["custom"]["thresholdsStyle"]["mode"] == "dashed", "Grafana draws none by default"
        for step in above:
            assert {below["color"], step["color"]} == {"red", "transparent"}, "the line would be green otherwise"
            drawn[panel["title"]] = step["value"]
    assert drawn == {
        "Share of the lifetime left": renewal.NEAR_EXPIRY,
        "Time until renewal (below 0: overdue)": 0,
        "Share of ACME requests that failed, in an hour": ACME_ERRORS,
    }


@needs_promtool
def test_every_expression_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{panel['id']}", "expr": panel["targets"][0]["expr"]} for panel in PANELS]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(PANELS)} rules found" in promtool("check", "rules", str(file)), "Grafana shows an error otherwise"


def series(metric: str, value: str, labels: str = "") -> dict[str, str]:
    given = f'namespace="cert-manager",exported_namespace="istio-system",name="certs"{labels}'
    return {"series": f"certmanager_certificate_{metric}{{{given}}}", "values": value}


ISSUED = [
    series("not_before_timestamp_seconds", "1x120"),
    series("renewal_timestamp_seconds", f"{60 * DAY}x120"),
    series("not_after_timestamp_seconds", f"{90 * DAY}x120"),
    series("ready_status", "1x120", ',condition="True"'),
    series("challenge_status", "1x120", ',status="pending"'),
    series("challenge_status", "1x120", ',status=""'),
    {"series": 'certmanager_issuer_ready_status{condition="True",name="prod"}', "values": "0x120"},
    {"series": 'certmanager_clusterissuer_ready_status{condition="True",name="staging"}', "values": "1x120"},
    {"series": 'certmanager_controller_sync_error_count{controller="orders"}', "values": "0+1x120"},
    acme(200, "0x60 3x60"),
    acme(429, "_x60 1x60"),
]
NOT_READY, READY = "Certificates not Ready, or expired", "Ready, and not expired"
SEEN = {
    NOT_READY: 0,
    "Time until the first one expires": 90 * DAY - 6000,
    "Time until the next renewal": 60 * DAY - 6000,
    "Issuers that are not Ready": 1,
    READY: 1,
    "Share of ACME requests that failed, in an hour": 0.25,
    "Challenges by state": 1,
    "Failed attempts on Orders and Challenges, in an hour": 60,
}


def shows(folder: Path, title: str, value: float, series_: list[dict[str, str]]) -> None:
    """Have promtool look at the highest value of a panel after 100 minutes."""
    (panel,) = (panel for panel in PANELS if panel["title"] == title)
    case = {
        "expr": f"max({panel['targets'][0]['expr']})",
        "eval_time": "100m",
        "exp_samples": [{"labels": "{}", "value": value}],
    }
    evaluate(folder, series_, "1m", promql_expr_test=[case])


@needs_promtool
@pytest.mark.parametrize(("title", "value"), SEEN.items(), ids=list(SEEN))
def test_a_panel_shows_what_it_says(tmp_path: Path, title: str, value: float) -> None:
    shows(tmp_path, title, value, ISSUED)


@needs_promtool
@pytest.mark.parametrize(
    "series_",
    [
        [series("ready_status", "0x120", ',condition="True"'), series("not_after_timestamp_seconds", "0x120")],
        [series("ready_status", "1x120", ',condition="True"'), series("not_after_timestamp_seconds", "60x120")],
    ],
    ids=["not signed yet", "expired, of which cert-manager says Ready until it looks again"],
)
def test_a_certificate_that_nobody_can_use_is_not_ready(tmp_path: Path, series_: list[dict[str, str]]) -> None:
    shows(tmp_path, NOT_READY, 1, series_)
    shows(tmp_path, READY, 0, series_)
