#!/usr/bin/env python
"""Django's command line for this project."""

from __future__ import annotations

import sys

from project.env import default_settings_module


def main() -> None:
    """Run the command named on the command line."""
    default_settings_module("project.settings.local")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # of the settings, which are read before there is a command to tell it
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
