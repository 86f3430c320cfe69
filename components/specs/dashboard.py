"""A Grafana dashboard of the gateway's certificates, on the metrics that the alerts use.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from collections.abc import Mapping, Sequence
from typing import Any

from . import renewal
from .metrics import Certificates, acme_failures, acme_requests, by_namespace

LABELS = {"grafana_dashboard": "1"}
"""What the sidecar of Grafana's chart selects ConfigMaps by, unless it is told otherwise."""

_WIDTH = 24
"""Of Grafana's grid."""

_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "stat": {"graphMode": "none"},
    "timeseries": {},
    "state-timeline": {"legend": {"showLegend": False}},
}
"""Of each kind, where Grafana would show twice what is in a graph below or on a bar itself."""

_GREEN, _YELLOW, _RED, _NONE = "green", "yellow", "red", "transparent"


def dashboard(uid: str, title: str, namespace: str, certificates: Sequence[str], acme_errors: float) -> dict[str, Any]:
    """Return the dashboard of Certificates, which are names in `namespace` or `NAMESPACE/NAME`.

    Its uid has at most 40 characters. `acme_errors` is the share of refused requests from which on the alerts fire.
    """
    names = by_namespace(namespace, certificates)
    watched = Certificates(names)
    # cert-manager does not look when a certificate expires, so that it stays Ready.
    usable = f"({watched.ready} unless ({watched.seconds_left} < 0)) or {watched.ready} * 0"
    by_name = "{{name}}"
    rows = [
        [
            _panel("stat", "Certificates not Ready, or expired", f"count(({usable}) == 0) or vector(0)", "none", [
                (None, _GREEN), (1, _RED),
            ]),
            _panel("stat", "Time until the first one expires", f"min({watched.seconds_left})", "s", [
                (None, _RED), (0, _GREEN),
            ]),
            _panel("stat", "Time until the next renewal", f"min(({watched.renewal} > 0) - time())", "s", [
                (None, _YELLOW), (0, _GREEN),
            ]),
            _panel("stat", "Issuers that are not Ready", f"count(({_issuers()}) == 0) or vector(0)", "none", [
                (None, _GREEN), (1, _RED),
            ]),
        ],
        [
            _panel("timeseries", "Validity left", watched.seconds_left, "s", legend=by_name),
            _panel("timeseries", "Share of the lifetime left", watched.share_left, "percentunit", [
                (None, _RED), (renewal.NEAR_EXPIRY, _NONE),
            ], legend=by_name),
        ],
        [
            _panel("timeseries", "Time until renewal (below 0: overdue)", f"({watched.renewal} > 0) - time()", "s", [
                (None, _RED), (0, _NONE),
            ], legend=by_name),
            _panel("state-timeline", "Ready, and not expired", usable, "bool_yes_no", [
                (None, _RED), (1, _GREEN),
            ], legend=by_name),
        ],
        [
            _panel("timeseries", "ACME requests in an hour, by status", acme_requests(by="host, status"), "short",
                   legend="{{host}} {{status}}"),
            _panel("timeseries", "Share of ACME requests that failed, in an hour", acme_failures(), "percentunit", [
                (None, _NONE), (acme_errors, _RED),
            ], legend="{{host}}"),
        ],
        [
            _panel("timeseries", "Challenges by state", _challenges("|".join(names)), "short", legend="{{status}}"),
            _panel("timeseries", "Failed attempts on Orders and Challenges, in an hour", _errors(), "short",
                   legend="{{controller}}"),
        ],
    ]  # fmt: skip
    return {
        "uid": uid,
        "title": title,
        "tags": ["cert-manager", "istio"],
        "schemaVersion": 39,
        "editable": False,
        "time": {"from": "now-7d", "to": "now"},
        "refresh": "1m",
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": list(_placed(rows)),
    }


def _issuers() -> str:
    kinds = ("clusterissuer", "issuer")
    return " or ".join(f'max by (name) (certmanager_{kind}_ready_status{{condition="True"}})' for kind in kinds)


def _challenges(namespaces: str) -> str:
    selected = f'exported_namespace=~"{namespaces}",status!=""'
    return f"sum by (status) (certmanager_certificate_challenge_status{{{selected}}} == 1)"


def _errors() -> str:
    # There is no metric of Orders themselves.
    return (
        'sum by (controller) (increase(certmanager_controller_sync_error_count{controller=~"orders|challenges"}[1h]))'
    )


def _panel(
    kind: str,
    title: str,
    expression: str,
    unit: str,
    steps: Sequence[tuple[float | None, str]] = ((None, _GREEN),),
    legend: str = "",
) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    # A graph draws its thresholds as lines: one below a transparent step is of the colour of the step under it.
    top = {"axisSoftMax": 1} if unit == "percentunit" else {}
    graph = {"thresholdsStyle": {"mode": "dashed"}, "axisSoftMin": 0, **top}
    return {
        "type": kind,
        "title": title,
        "datasource": source,
        "targets": [{"refId": "A", "datasource": source, "expr": expression, "legendFormat": legend or "__auto"}],
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "thresholds": {
                    "mode": "absolute",
                    "steps": [{"value": value, "color": color} for value, color in steps],
                },
                "color": {"mode": "palette-classic" if kind == "timeseries" else "thresholds"},
                "custom": graph if kind == "timeseries" else {},
            },
            "overrides": [],
        },
        "options": _OPTIONS[kind],
    }


def _placed(rows: Sequence[Sequence[Mapping[str, Any]]]) -> Any:
    number, top = 1, 0
    for row in rows:
        width, height = _WIDTH // len(row), 4 if row[0]["type"] == "stat" else 8
        for position, panel in enumerate(row):
            yield {**panel, "id": number, "gridPos": {"x": position * width, "y": top, "w": width, "h": height}}
            number += 1
        top += height
