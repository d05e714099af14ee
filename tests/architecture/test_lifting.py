"""`tasks/` is lifted into another project, under another name, and goes on working."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

SETTINGS = """
SECRET_KEY = "bare"
INSTALLED_APPS = ["django.contrib.contenttypes", "vendor_jobs", "shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""

TASKS = """
from datetime import timedelta
from vendor_jobs import Permanent, RetryPolicy, task

@task("shop.sell", time_limit=timedelta(seconds=5), retry=RetryPolicy.never())
def sell(order_id: int) -> int:
    return 2 * order_id
"""

JOURNEY = """
import importlib, importlib.util, pkgutil, sys
import django
django.setup()

from celery import Celery
from django.apps import apps
app = Celery("shop", broker="memory://", backend="cache+memory://")
app.conf.update(task_always_eager=True, task_store_eager_result=True)

from shop.tasks import sell
from vendor_jobs import UnknownTask, publish
try:
    publish("shop.sel", order_id=4)
except UnknownTask as unknown:
    print(unknown)

print(apps.get_app_config("tasks").name, sell.name, sell.delay(4).get())

import vendor_jobs
for found in pkgutil.walk_packages(vendor_jobs.__path__, "vendor_jobs."):
    if "__main__" not in found.name:
        importlib.import_module(found.name)

print(importlib.util.find_spec("tasks"), [name for name in sys.modules if name.split(".")[0] == "tasks"])
print(sorted({model._meta.db_table.split("_")[0] for model in apps.get_app_config("tasks").get_models()} - {"tasks"}))
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A bare Django project that has the toolkit's folder as `vendor_jobs`."""
    shutil.copytree(ROOT / "tasks", tmp_path / "vendor_jobs", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "tasks.py").write_text(TASKS)
    return tmp_path


def python(folder: Path, *arguments: str) -> str:
    """Run Python in *folder*, with the bare project's settings and nothing else; return what it printed."""
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "DJANGO_SETTINGS_MODULE": "settings"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_copied_under_another_name_it_keeps_its_label_its_names_and_its_tables(shop: Path) -> None:
    """Relative imports, a fixed label and explicit names: what was in the database or a queue is still understood."""
    with (shop / "settings.py").open("a") as settings:
        # What the toolkit's scheduler and its admin pages build on.
        settings.write('INSTALLED_APPS += ["django_celery_beat", "django.contrib.auth", "django.contrib.admin"]\n')

    unknown, job, absent, tables = python(shop, "-c", JOURNEY).splitlines()

    assert unknown == "no task is registered as 'shop.sel', did you mean 'shop.sell'?"
    assert job == "vendor_jobs shop.sell 8"
    assert absent == "None []"
    assert tables == "[]"


def test_copied_under_another_name_it_passes_djangos_checks_and_needs_no_migration(shop: Path) -> None:
    """`check` loads every model and runs every check that the toolkit brings."""
    assert "no issues" in python(shop, "-m", "django", "check", "--fail-level", "WARNING")
    assert "No changes" in python(shop, "-m", "django", "makemigrations", "--check", "--dry-run")
    python(shop, "-m", "django", "migrate", "--verbosity", "0")
