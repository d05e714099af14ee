"""The variables that every process of a stack gets.

They are made of three layers, the later one winning: the surroundings without anything that is meant for the project,
what the stack itself offers, and what was given on purpose. So a stack is the same whatever happens to be exported in
the terminal that starts it, and yet can be pointed at other servers.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from project.env import VARIABLES, surroundings
from project.local.generated import secret_kept
from project.local.ports import HOST

FLOWER_USER: Final = "flower"
STAFF_USER: Final = "staff"

# What `./run up` tries first. Those of the databases are not the usual ones, which somebody's own servers may hold.
PREFERRED_PORTS: Final = {
    "web": 8000,
    "flower": 5555,
    "payment_sandbox": 12111,
    "supplier_sandbox": 12112,
    "smtp": 1025,
    "postgres": 15432,
    "valkey_broker": 16379,
    "valkey_cache": 16380,
}

# Settings of other programs that may be given on purpose, beside the project's own.
ALSO_GIVEN: Final = frozenset({"DJANGO_SETTINGS_MODULE", "FLOWER_BASIC_AUTH"})


def variables_given() -> dict[str, str]:
    """What the surroundings say on purpose for the project; an empty variable says nothing."""
    known = VARIABLES | ALSO_GIVEN
    return {name: value for name, value in surroundings().items() if name in known and value}


def variables_clean() -> dict[str, str]:
    """The surroundings without anything meant for the project, and with its programs on PATH."""
    clean = {name: value for name, value in surroundings().items() if name not in VARIABLES | ALSO_GIVEN}
    clean["PATH"] = f"{Path(sys.executable).parent}:{clean.get('PATH', '/usr/bin:/bin')}"
    clean["PYTHONUNBUFFERED"] = "1"
    return clean


def variables_offered(directory: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """What a stack in *directory* on *ports* offers, apart from the addresses of its databases."""
    kept = directory / "secrets"
    return {
        "DJANGO_SETTINGS_MODULE": "project.settings.local",
        "SECRET_KEY": secret_kept(kept, "secret_key"),
        "STAFF_PASSWORD": secret_kept(kept, "staff_password"),
        "EMAIL_URL": f"smtp://{HOST}:{ports['smtp']}",
        "MEDIA_ROOT": str(directory / "media"),
        "STATIC_ROOT": str(directory / "static"),
        "SITE_URL": f"http://{HOST}:{ports['web']}",
        "SUPPLIER_API_URL": f"http://{HOST}:{ports['supplier_sandbox']}",
        "STRIPE_API_BASE": f"http://{HOST}:{ports['payment_sandbox']}",
        "STRIPE_API_KEY": "sk_test_local",
        "FLOWER_URL": f"http://{HOST}:{ports['flower']}",
        "FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{secret_kept(kept, 'flower_password')}",
        "LOG_FORMAT": "console",
        "SKIP_CHECKS": "1",  # `prepare` has made Django's checks once; each Celery process would repeat them
        # The Procfile's own.
        "WEB_PORT": str(ports["web"]),
        "FLOWER_PORT": str(ports["flower"]),
        "PAYMENT_SANDBOX_PORT": str(ports["payment_sandbox"]),
        "PAYMENT_SANDBOX_BOOKS": str(directory / "payment_sandbox" / "books.jsonl"),
        "SUPPLIER_SANDBOX_PORT": str(ports["supplier_sandbox"]),
        "SMTP_PORT": str(ports["smtp"]),
        "MAIL_DIRECTORY": str(directory / "mail"),
    }
