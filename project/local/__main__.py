"""The command line: `python -m project.local up`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from project.env import PROJECT_ROOT
from project.local.up import up

UP = """Start everything on this machine and keep it running until Ctrl-C: PostgreSQL and Valkey out of wheels, the web
server, a worker for each class of service, beat, Flower, a payment sandbox and a mail sink. DATABASE_URL, BROKER_URL
or CACHE_URL in the environment: that server is used, and none is embedded for it."""


def main() -> int:
    """Parse the command line, run the command, and return the exit code."""
    parser = argparse.ArgumentParser(prog="./run")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("up", help="start everything here", description=UP)
    command.add_argument(
        "--directory",
        type=Path,
        default=PROJECT_ROOT / "var",
        help="where data, logs and passwords are kept (%(default)s)",
    )
    arguments = parser.parse_args()
    return up(arguments.directory.resolve())


if __name__ == "__main__":
    sys.exit(main())
