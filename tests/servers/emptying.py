"""Emptying the database after a test that commits: of what that has left, and of nothing else.

Django truncates every table each time, and makes all content types and permissions anew; that was a tenth of the
suite's time. Here they stay as the migrations have made them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final
from unittest.mock import patch

from django.db import connections
from django.test import TransactionTestCase

KEPT: Final = frozenset({"django_content_type", "auth_permission"})


@contextmanager
def emptied_quickly() -> Iterator[None]:
    """Within it, Django's test cases empty the database so, and pytest-django's with them."""
    with patch.object(TransactionTestCase, "_fixture_teardown", _teardown):
        yield


def database_empty(alias: str) -> None:
    """Leave nothing in any model's table of the database *alias*, but in KEPT."""
    quote = connections[alias].ops.quote_name
    with connections[alias].cursor() as cursor:
        cursor.execute(_which_are_filled(alias))
        if filled := [quote(table) for (table,) in cursor.fetchall()]:
            cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")


@cache
def _which_are_filled(alias: str) -> str:
    connection = connections[alias]
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT
    looks = (f"SELECT '{name}' WHERE EXISTS (SELECT FROM {connection.ops.quote_name(name)})" for name in sorted(tables))  # noqa: S608
    return " UNION ALL ".join(looks)


def _teardown(case: Any) -> None:
    for alias in case._databases_names(include_mirrors=False):
        database_empty(alias)
