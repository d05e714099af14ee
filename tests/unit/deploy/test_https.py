"""HTTPS=true and HTTPS=false, as production's settings take them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from project.env import PROJECT_ROOT

GIVEN = {
    "SECRET_KEY": "x" * 50,
    "DATABASE_URL": "postgresql://localhost/none",
    "BROKER_URL": "redis://localhost",
    "CACHE_URL": "redis://localhost",
    "STRIPE_API_KEY": "none",
    "DJANGO_SETTINGS_MODULE": "project.settings.production",
}
NAMES = ["SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_PROXY_SSL_HEADER"]
CODE = f"""
import json
from django.conf import settings
print(json.dumps({{name: bool(getattr(settings, name)) for name in {NAMES}}}))
"""


def production(**variables: str) -> subprocess.CompletedProcess[str]:
    """Load production's settings with these variables, and print what they make of HTTPS."""
    return subprocess.run(
        [sys.executable, "-c", CODE],
        env=GIVEN | variables,
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("variables", "secure"), [({}, True), ({"HTTPS": "true"}, True), ({"HTTPS": "false"}, False)])
def test_everything_is_secure_unless_it_is_said_that_nobody_needs_it(variables: dict[str, str], secure: bool) -> None:
    """Without it the header of a proxy isn't believed either: there is none that would take a forged one away."""
    result = production(**variables)

    assert json.loads(result.stdout) == dict.fromkeys(NAMES, secure), result.stderr


def test_a_value_that_means_neither_is_refused() -> None:
    """`HTTPS=off` must not mean "on" to the one who reads it and "off" to the one who wrote it."""
    result = production(HTTPS="off")

    assert result.returncode
    assert "HTTPS is 'off': expected one of true, false." in result.stderr
