"""Alerts: the objects in the cluster, and, by Prometheus' own promtool, when a rule fires and when it does not."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.certificate_alerts import CertificateAlerts, CertificateAlertsArgs, rules_spec
from tests.unit.harness import run

HOUR = 60
DAY = 24 * HOUR
"""In minutes."""

ARGS: CertificateAlertsArgs = {
    "prometheus": "prometheus",
    "object_name": "certificates-test",
    "namespace": "cert-manager",
    "certificates": ["certs", "certs-2.shop"],
    "certificates_namespace": "istio-system",
}


class TestObjects:
    def test_the_prometheus_operator_gets_its_kinds_with_the_labels_it_selects_by(self) -> None:
        made = run(lambda: CertificateAlerts("alerts", {**ARGS, "labels": {"release": "monitoring"}}))

        _, *objects = (resource.inputs for resource in made)
        assert [manifest["kind"] for manifest in objects] == ["PodMonitor", "PrometheusRule"]
        for manifest in objects:
            assert manifest["apiVersion"] == "monitoring.coreos.com/v1"
            assert manifest["metadata"]["labels"] == {"release": "monitoring"}, "or it is passed over"
        assert objects[1]["spec"] == rules_spec("istio-system", ["certs", "certs-2.shop"])

    def test_managed_prometheus_gets_its_kinds_where_it_sees_the_metrics(self) -> None:
        made = run(lambda: CertificateAlerts("alerts", {**ARGS, "prometheus": "gmp"}))

        scrape, rules = (made.named(f"alerts-{part}").inputs for part in ("scrape", "rules"))
        assert (scrape["kind"], rules["kind"]) == ("PodMonitoring", "Rules")
        for manifest in (scrape, rules):
            assert manifest["apiVersion"] == "monitoring.googleapis.com/v1"
            assert manifest["metadata"]["namespace"] == "cert-manager", "Rules see their own namespace only"
        assert rules["spec"] == rules_spec("istio-system", ["certs", "certs-2.shop"])
        assert scrape["spec"]["endpoints"] == [{"port": "http-metrics", "interval": "60s"}], "the chart's port name"


class Series:
    """cert-manager's metrics of one certificate, as promtool writes them: with a value at every evaluation."""

    def __init__(self, name: str = "certs", namespace: str = "istio-system") -> None:
        # The scrape's own namespace is what `namespace` says.
        self.labels = f'namespace="cert-manager",exported_namespace="{namespace}",name="{name}"'

    def dates(self, before: int, renewal: int, after: int) -> list[dict[str, str]]:
        """Constant dates, in minutes from the test's beginning."""
        dates = {"not_before": before, "renewal": renewal, "not_after": after}
        return [self._of(f"{date}_timestamp_seconds", f"{60 * minutes}x{90 * 24}") for date, minutes in dates.items()]

    def ready(self, values: str) -> list[dict[str, str]]:
        """`values`, in promtool's notation, of the condition True."""
        return [self._of("ready_status", values, ',condition="True"')]

    def _of(self, metric: str, values: str, labels: str = "") -> dict[str, str]:
        return {"series": f"certmanager_certificate_{metric}{{{self.labels}{labels}}}", "values": values}


def acme(status: int, values: str, host: str = "acme.test") -> dict[str, str]:
    labels = f'host="{host}",status="{status}",method="POST"'
    return {"series": f"certmanager_http_acme_client_request_count{{{labels}}}", "values": values}


def ninety_days() -> list[dict[str, str]]:
    """Signed a minute after the beginning, since 0 is no date; renewed when 60 of 90 days have passed."""
    return Series().dates(1, 60 * DAY, 90 * DAY)


def six_days() -> list[dict[str, str]]:
    return Series().dates(1, 107 * HOUR, 160 * HOUR)


Case = tuple[str, str, list[dict[str, str]], int, bool]
CASES: list[Case] = [
    ("issued in time", "CertificateNotReady", Series().ready("0x9 1x60"), 40, False),
    ("never issued", "CertificateNotReady", Series().ready("0x60"), 20, True),
    ("not ready for a moment", "CertificateNotReady", Series().ready("1x9 0x5 1x60"), 14, False),
    ("ready, and then not", "CertificateNotReady", Series().ready("1x9 0x60"), 30, True),
    ("another stack's", "CertificateNotReady", Series(name="others").ready("0x60"), 20, False),
    ("another namespace's", "CertificateNotReady", Series(namespace="shop").ready("0x60"), 20, False),
    ("a name that only looks alike", "CertificateNotReady", Series(name="certs-2xshop").ready("0x60"), 20, False),
    ("before its renewal", "CertificateRenewalOverdue", ninety_days(), 59 * DAY, False),
    ("two days late of ninety", "CertificateRenewalOverdue", ninety_days(), 62 * DAY, False),
    ("five days late of ninety", "CertificateRenewalOverdue", ninety_days(), 65 * DAY, True),
    ("two hours late of 160", "CertificateRenewalOverdue", six_days(), 109 * HOUR, False),
    ("ten hours late of 160", "CertificateRenewalOverdue", six_days(), 117 * HOUR, True),
    ("not signed yet", "CertificateRenewalOverdue", Series().dates(0, 0, 0), 9 * DAY, False),
    ("a third left", "CertificateNearExpiry", ninety_days(), 60 * DAY, False),
    ("eight days left of ninety", "CertificateNearExpiry", ninety_days(), 82 * DAY, True),
    ("two days left of six", "CertificateNearExpiry", six_days(), 112 * HOUR, False),
    ("ten hours left of 160", "CertificateNearExpiry", six_days(), 150 * HOUR, True),
    ("expired", "CertificateNearExpiry", six_days(), 170 * HOUR, True),
    ("no date yet", "CertificateNearExpiry", Series().dates(0, 0, 0), 9 * DAY, False),
    ("all is answered", "AcmeRequestsFail", [acme(200, "0+1x120")], 90, False),
    ("a nonce is rejected", "AcmeRequestsFail", [acme(200, "0x60 12x60"), acme(400, "_x60 1x60")], 90, False),
    ("the first order is refused", "AcmeRequestsFail", [acme(200, "0x60 3x60"), acme(429, "_x60 2x60")], 90, True),
    ("the server is gone", "AcmeRequestsFail", [acme(200, "9x120"), acme(999, "0+1x120")], 90, True),
    ("a URL is left out", "AcmeRequestsFail", [acme(200, "0x60 3x60"), acme(999, "_x60 1x60", host="")], 90, False),
    ("refused, but hours ago", "AcmeRequestsFail", [acme(200, "0x60 3x240"), acme(429, "_x60 2x240")], 200, False),
]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is missing: apt-get install -y prometheus")
class TestRules:
    @pytest.fixture
    def rules(self, tmp_path: Path) -> Path:
        file = tmp_path / "rules.yaml"
        file.write_text(yaml.safe_dump(rules_spec("istio-system", ["certs", "certs-2.shop"])))
        return file

    def test_prometheus_accepts_them(self, rules: Path) -> None:
        assert "4 rules found" in promtool("check", "rules", "--lint-fatal", str(rules))

    @pytest.mark.parametrize(
        ("alert", "series", "minute", "fires"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
    )
    def test_an_alert_fires_when_it_should_and_not_before(
        self, rules: Path, alert: str, series: list[dict[str, str]], minute: int, fires: bool
    ) -> None:
        # How many fire, without their texts, which have a test of their own.
        case = {
            "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": "{}", "value": int(fires)}],
        }
        interval = "1m" if minute < DAY else "1h" if minute < 9 * DAY else "6h"
        evaluate(rules.parent, series, interval, rule_files=[rules.name], promql_expr_test=[case])

    def test_an_alert_says_what_is_late_and_where_to_look(self, rules: Path) -> None:
        case = {
            "alertname": "CertificateRenewalOverdue",
            "eval_time": "69d",
            "exp_alerts": [
                {
                    "exp_labels": {"severity": "warning", "exported_namespace": "istio-system", "name": "certs"},
                    "exp_annotations": {
                        "summary": "Certificate istio-system/certs should have been renewed",
                        "description": "10% of its lifetime have passed since the planned renewal."
                        " The reason: kubectl describe certificate,order,challenge -n istio-system",
                    },
                }
            ],
        }
        series = Series().dates(1, 60 * DAY, 90 * DAY + 1)
        evaluate(rules.parent, series, "6h", rule_files=[rules.name], alert_rule_test=[case])


def evaluate(
    folder: Path, series: list[dict[str, str]], interval: str, rule_files: Sequence[str] = (), **cases: Any
) -> None:
    """Have promtool evaluate rules and expressions over series."""
    tests = [{"interval": interval, "input_series": series, **cases}]
    document = {"rule_files": list(rule_files), "evaluation_interval": interval, "tests": tests}
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump(document))
    promtool("test", "rules", str(file))


def promtool(*arguments: str) -> str:
    done: Any = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)
