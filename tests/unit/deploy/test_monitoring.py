"""What Prometheus scrapes and alerts on, and what Grafana shows."""

from __future__ import annotations

import re

import pytest
import yaml

from config.queues import WORKERS
from tests.compose.file import Compose
from tests.compose.monitoring import GRAFANA, alerts, metrics_of, metrics_used, panels, scrape_configs

# Those that Prometheus makes of every scrape, and those that Flower and the relay export.
EXPORTED = re.compile(r"up|flower_\w+|tasks_dead_letters(_arrived)?|tasks_circuit_open")


def test_every_target_is_a_service_of_the_stack(compose: Compose) -> None:
    """A name that resolves to nothing is a target that is down for ever."""
    named = {
        address.partition(":")[0]
        for job in scrape_configs().values()
        for entry in job.get("static_configs", [])
        for address in entry["targets"]
    }
    resolved = {
        name for job in scrape_configs().values() for entry in job.get("dns_sd_configs", []) for name in entry["names"]
    }

    assert named - {"127.0.0.1"} <= compose.services.keys()
    assert resolved <= compose.services.keys()
    assert all(compose.services[name].spec.get("profiles") for name in resolved - {"relay"})
    assert not any(compose.services[name].spec.get("profiles") for name in named - {"127.0.0.1"})


def test_prometheus_is_given_the_password_that_flower_asks_for(compose: Compose) -> None:
    """Flower locks its metrics too."""
    file = scrape_configs()["flower"]["basic_auth"]["password_file"]

    assert file == "/run/secrets/flower_password"
    assert "flower_password" in compose.services["prometheus"].secrets


def test_there_is_an_alert_for_each_class_of_workers() -> None:
    """A class without a worker looks like a quiet day otherwise."""
    missed = {rule["labels"]["class"]: rule["expr"] for rule in alerts().values() if "class" in rule["labels"]}

    assert missed == {name: f'absent(flower_worker_online{{worker=~"{name}@.+"}} == 1)' for name in WORKERS}


def test_every_alert_says_what_to_do() -> None:
    """And how bad it is."""
    for name, rule in alerts().items():
        assert rule["annotations"]["summary"], name
        assert rule["annotations"]["action"], name
        assert rule["labels"]["severity"] in {"page", "ticket"}, name


def test_nothing_is_asked_for_that_nobody_exports() -> None:
    """That Flower really exports those is seen where it runs."""
    assert metrics_used()
    assert {name for name in metrics_used() if not EXPORTED.fullmatch(name)} == set()


def test_every_panel_asks_the_data_source_that_is_provisioned() -> None:
    """By its uid; one that doesn't exist shows an error instead of a graph."""
    (source,) = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]

    asked = {target["datasource"]["uid"] for panel in panels() for target in panel["targets"]}
    assert asked == {source["uid"]}


def test_the_dashboard_is_green_only_with_all_workers() -> None:
    """One for each class, as the stack starts them."""
    (panel,) = [panel for panel in panels() if panel["title"] == "Workers online"]

    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1] == {"color": "green", "value": len(WORKERS)}


def test_dashboards_are_where_grafana_looks_for_them(compose: Compose) -> None:
    """The provider's path is a mount of the service."""
    (provider,) = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "dashboards.yml").read_text())["providers"]
    mounts = dict(volume.split(":")[:2] for volume in compose.services["grafana"].spec["volumes"])

    assert provider["options"]["path"] in mounts.values()
    home = compose.services["grafana"].environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (GRAFANA / "dashboards" / home.rpartition("/")[2]).exists()


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ('sum by (task) (rate(a_total{type="b"}[5m])) > 0', {"a_total"}),
        ("absent(a == 1) or b unless on(c) d", {"a", "b", "d"}),
        ("histogram_quantile(0.95, sum by (le) (rate(a_bucket[15m])))", {"a_bucket"}),
        ("count(up == 0) or vector(0)", {"up"}),
    ],
)
def test_the_names_of_metrics_are_found_in_an_expression(expression: str, metrics: set[str]) -> None:
    """Guards the tests above."""
    assert metrics_of(expression) == metrics
