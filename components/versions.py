"""The one place that pins versions. Nothing else in the program names one."""

CERT_MANAGER_CHART = "oci://quay.io/jetstack/charts/cert-manager"
"""The chart's recommended home; charts.jetstack.io is the legacy one."""

CERT_MANAGER_VERSION = "v1.21.2"
"""Never below 1.20.3 (or 1.19.6): GHSA-8rvj-mm4h-c258."""
