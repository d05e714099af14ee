"""What every service of docker-compose.yml has to have, and what none may have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.compose.file import COMPOSE_FILE, OUR_IMAGE, Compose

# The reason stands beside it in the file.
WRITABLE = {"rabbitmq"}

KEEPS_DATA_ONLY_INSIDE = {"postgres", "broker", "cache", "rabbitmq", "s3"}

TELLING = re.compile(r"(?i)pass|secret|token|api_?key|access_?key|credential|basic_auth|private")
RANDOM_LOOKING = re.compile(r"(?=[a-zA-Z+/]*\d)(?=[\d+/]*[a-zA-Z])[A-Za-z0-9+/]{20,}")
IN_A_URL = re.compile(r"://[^\s/:@]*:[^\s/@]+@")
HARMLESS = re.compile(r"/run/secrets/[\w$]+(?:\{[^}]*\})?\w*|/[a-z_/.]+")


def scalars(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Each text in the file, with the key nearest to it."""
    match value:
        case dict():
            for inner_key, inner in value.items():
                yield from scalars(inner, str(inner_key))
        case list():
            for inner in value:
                yield from scalars(inner, key)
        case str():
            yield key, value


def secrets_in(spec: dict[str, Any]) -> list[str]:
    """The keys whose values look like secrets: by their key, as part of a URL, or for being random."""
    described = {name: part for name, part in spec.items() if name != "secrets"}
    found = []
    for key, value in scalars(described):
        plain = HARMLESS.sub("", value)
        named = TELLING.search(key) and key != "secrets" and plain and not plain.startswith("${")
        if named or RANDOM_LOOKING.search(plain) or IN_A_URL.search(value):
            found.append(key)
    return found


def test_no_secret_is_written_in_the_file() -> None:
    """Before any variable is put in: everything that is secret comes from a file that is mounted."""
    assert secrets_in(yaml.safe_load(COMPOSE_FILE.read_text())) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("POSTGRES_PASSWORD", "hunter2"),
        ("BROKER_URL", "redis://default:" + "hunter2@broker:6379/0"),
        ("SENTRY", "9f86d081884c7d659a2feaa0c55ad015"),
        ("S3_SECRET_KEY", "rootstock"),
    ],
)
def test_a_secret_would_be_found(key: str, value: str) -> None:
    """Guards the test above: by its name, in a URL, and for its look."""
    spec = yaml.safe_load(COMPOSE_FILE.read_text())
    spec["services"]["web"]["environment"][key] = value

    assert key in secrets_in(spec)


def test_every_secret_is_defined_and_used(compose: Compose) -> None:
    """A name that is only used stops `up`; one that is only defined misleads."""
    used = {secret for service in compose.services.values() for secret in service.secrets}
    mounted = set(re.findall(r"/run/secrets/(\w+)", COMPOSE_FILE.read_text()))

    assert used == set(compose.spec["secrets"])
    assert mounted - {""} <= used


def test_every_image_is_pinned_to_a_version(compose: Compose) -> None:
    """`latest` is another program each day."""
    for service in compose.services.values():
        if not service.ours:
            assert re.search(r":v?\d+\.\d+(\.\d+)?$", service.spec["image"]), service.name
    builders = [service.name for service in compose.services.values() if "build" in service.spec]
    assert builders == ["migrate"], f"{OUR_IMAGE} is built once, for all"


def test_every_service_that_goes_on_has_a_health_check_and_is_started_again(compose: Compose) -> None:
    """And none leaves the time to stop to Docker's ten seconds."""
    for service in compose.services.values():
        if not service.one_shot:
            assert service.healthcheck, service.name
            assert service.spec["restart"] == "unless-stopped", service.name
            assert service.grace.total_seconds() > 10, service.name


def test_somebody_waits_for_each_service_that_runs_once(compose: Compose) -> None:
    """`up --wait` takes a service's end for a failure, unless another one waits for it to end well."""
    waited_for = {
        name
        for service in compose.services.values()
        for name, how in service.spec.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }

    assert waited_for == {service.name for service in compose.services.values() if service.one_shot}


def test_no_service_can_do_more_than_it_needs(compose: Compose) -> None:
    """No capability, no way to get one, nothing to write to but what is meant for it, and a bound on what it uses."""
    for service in compose.services.values():
        spec = service.spec
        assert spec["cap_drop"] == ["ALL"], service.name
        assert "cap_add" not in spec, service.name
        assert "privileged" not in spec, service.name
        assert spec["security_opt"] == ["no-new-privileges:true"], service.name
        assert spec["init"] is True, service.name
        assert spec["read_only"] is (service.name not in WRITABLE), service.name
        assert any(entry.startswith("/tmp:size=") for entry in spec["tmpfs"]), service.name
        assert {"max-size", "max-file"} <= spec["logging"]["options"].keys(), service.name
        if not service.one_shot:
            assert {"cpus", "memory", "pids"} <= spec["deploy"]["resources"]["limits"].keys(), service.name


def test_ports_are_published_on_this_machine_alone(compose: Compose) -> None:
    """Docker opens a published port past most firewalls."""
    published = [port for service in compose.services.values() for port in service.spec.get("ports", [])]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_what_keeps_data_is_on_the_network_without_a_way_out(compose: Compose) -> None:
    """And everything that publishes a port is on the other one as well: an internal network publishes none."""
    assert compose.spec["networks"]["backend"] == {"internal": True}
    for service in compose.services.values():
        networks = service.spec["networks"]
        assert "backend" in networks, service.name
        if service.name in KEEPS_DATA_ONLY_INSIDE:
            assert networks == ["backend"], service.name
            assert "ports" not in service.spec, service.name
        if "ports" in service.spec:
            assert "outside" in networks, service.name


def test_the_broker_keeps_jobs_and_the_cache_may_forget(compose: Compose) -> None:
    """Two servers, because one policy can't do both."""
    broker, cache = compose.services["broker"].command, compose.services["cache"].command

    assert {"--appendonly": "yes", "--maxmemory-policy": "noeviction"}.items() <= options(broker).items()
    assert {"--appendonly": "no", "--maxmemory-policy": "allkeys-lru"}.items() <= options(cache).items()
    assert any(volume.endswith(":/data") for volume in compose.services["broker"].spec["volumes"])
    assert "volumes" not in compose.services["cache"].spec


def options(command: list[str]) -> dict[str, str]:
    """The options of a command as pairs."""
    return dict(zip(command[1::2], command[2::2], strict=True))
