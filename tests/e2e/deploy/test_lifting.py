"""docs/lifting.md, followed to the letter in a fresh Django project, on real servers: and a worker killed there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from project.env import PROJECT_ROOT
from project.local.child import Child
from tasks.testing.waiting import eventually

PAGE = (PROJECT_ROOT / "docs" / "lifting.md").read_text()
FILES = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
"""Path and content of each file that the page shows."""
ORDERS = 30
MINUTE = timedelta(minutes=1)

# What a project of one's own has already, and what makes a worker die: it takes its time once, in the middle of a job.
OWN_SETTINGS = """
import os
from urllib.parse import urlsplit
_DATABASE = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": _DATABASE.path[1:], "HOST": _DATABASE.hostname,
    "PORT": _DATABASE.port, "USER": _DATABASE.username, "PASSWORD": _DATABASE.password,
}}
CELERY_BROKER_TRANSPORT_OPTIONS = {"lease": 3.0, "server_checks": "warn"}
"""
SLOW_ONCE = """
from pathlib import Path
from threading import Event

if order_id == 10 and not Path("slow").exists():
    Path("slow").touch()
    Event().wait(60)
"""
PLACE = f"""
import django
django.setup()
from orders.services import order_place
print(*(order_place()[1] for _ in range({ORDERS})))
"""
COUNT = """
import sys, django
django.setup()
from orders.models import Order
from tasks import status
print(sorted(Order.objects.values_list("times_charged", flat=True)))
print(sorted({status(task_id).name for task_id in sys.argv[1:]}))
"""


@pytest.fixture
def own_database() -> Iterator[str]:
    """The URL of an empty database."""
    url, name = os.environ["DATABASE_URL"], f"lifted_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def shop(tmp_path: Path, own_database: str, clean_broker: str) -> tuple[Path, dict[str, str]]:
    """The project, made as the page says, and the environment of its processes."""
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "DATABASE_URL": own_database,
        "BROKER_URL": clean_broker,
    }
    for command in ("startproject shop .", "startapp orders"):
        subprocess.run([sys.executable, "-m", "django", *command.split()], cwd=tmp_path, check=True, timeout=60)
    with (tmp_path / "shop" / "settings.py").open("a") as settings:
        settings.write(OWN_SETTINGS)
    shutil.copytree(PROJECT_ROOT / "tasks", tmp_path / "tasks", ignore=shutil.ignore_patterns("__pycache__"))
    for path, code in FILES:
        with (tmp_path / path).open("a" if path.endswith("settings.py") else "w") as file:
            file.write(code)
    with (tmp_path / "orders" / "tasks.py").open("a") as tasks:
        tasks.write(re.sub("^", "    ", SLOW_ONCE, flags=re.MULTILINE))
    return tmp_path, environment


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    """Ends what was started."""
    with ExitStack() as stack:
        yield stack


def test_the_page_brings_the_toolkit_into_another_project(
    shop: tuple[Path, dict[str, str]], processes: ExitStack
) -> None:
    """Committed with the orders, done once each, though the worker is killed in the middle of one."""
    directory, environment = shop

    def python(*words: str) -> str:
        finished = subprocess.run(
            [sys.executable, *words],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def start(name: str, *words: str) -> Child:
        child = Child(
            name=name,
            command=[sys.executable, *words],
            environment=environment,
            directory=directory,
            log=directory / f"{name}.log",
        )
        processes.callback(child.stop)
        child.start()
        return child

    python("manage.py", "makemigrations", "orders", "--verbosity", "0")
    assert "no issues" in python("manage.py", "check", "--fail-level", "WARNING")
    python("manage.py", "migrate", "--verbosity", "0")
    task_ids = python("-c", PLACE).split()
    start("relay", "manage.py", "relay")
    worker = ("-m", "celery", "-A", "shop", "worker", "--loglevel", "INFO", "--concurrency", "2", "--hostname")
    victim = start("victim", *worker, "victim@here")
    eventually((directory / "slow").exists, within=MINUTE, because=lambda: victim.log_tail(60))
    victim.kill()
    second = start("second", *worker, "second@here")

    def counted() -> list[str]:
        return python("-c", COUNT, *task_ids).splitlines()

    done = [str([1] * ORDERS), "['SUCCEEDED']"]
    eventually(lambda: counted() == done, within=MINUTE, because=lambda: f"{counted()}\n{second.log_tail(60)}")
