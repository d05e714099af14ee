"""What Prometheus and Grafana are told to do."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import yaml

from project.env import PROJECT_ROOT

PROMETHEUS: Final = PROJECT_ROOT / "deploy" / "prometheus"
GRAFANA: Final = PROJECT_ROOT / "deploy" / "grafana"

_NO_METRICS = re.compile(r'"[^"]*"|\[[^\]]*\]|\b(?:by|without|on|ignoring)\s*\([^)]*\)|\{[^}]*\}')
_NAME = re.compile(r"(?<![\w.])[a-zA-Z_]\w*(?!\w*\s*\()")
_OPERATORS: Final = {"and", "or", "unless", "bool"}


def scrape_configs() -> dict[str, Any]:
    """Prometheus' jobs by name."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    return {job["job_name"]: job for job in config["scrape_configs"]}


def alerts() -> dict[str, Any]:
    """The alerts by name."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def panels() -> list[dict[str, Any]]:
    """The panels of every dashboard."""
    return [
        panel for file in (GRAFANA / "dashboards").glob("*.json") for panel in json.loads(file.read_text())["panels"]
    ]


def metrics_used() -> set[str]:
    """The names of all metrics that an alert or a panel asks for."""
    expressions = [rule["expr"] for rule in alerts().values()]
    expressions += [target["expr"] for panel in panels() for target in panel["targets"]]
    return {name for expression in expressions for name in metrics_of(expression)}


def metrics_of(expression: str) -> set[str]:
    """The names of the metrics in a PromQL expression."""
    return set(_NAME.findall(_NO_METRICS.sub(" ", expression))) - _OPERATORS
