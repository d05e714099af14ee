"""`./run chaos`: kill things and count what is lost.

./run chaos NAME       one scenario: one line of JSON; exit code 1 if it misses the promise
./run chaos delivery   all of them, on the leased transport or on both, as a table
./run chaos orders     thousands of orders through the whole project while workers are killed
./run chaos letters    thousands of jobs, every tenth of which dies in one of all the ways, while workers are killed
"""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from pathlib import Path

from tests.chaos import delivery, letters, orders
from tests.chaos.playing import database, play
from tests.chaos.scenario import Scenario, scenarios
from tests.chaos.suggestion import suggestion
from tests.chaos.transports import LEASE, TRANSPORTS
from tests.chaos.worker import POOLS, PREFORK

WHOLE = {"delivery": delivery.main, "letters": letters.main, "orders": orders.main}


def main(arguments: list[str]) -> int:
    """Dispatch on the first word."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(overview())  # noqa: T201
        return 0
    name, rest = arguments[0], arguments[1:]
    if name in WHOLE:
        return WHOLE[name](rest)
    if name not in scenarios():
        known = [*WHOLE, *scenarios()]
        print(f"run: there is no scenario {name!r}{suggestion(name, known)}", file=sys.stderr)  # noqa: T201
        print("  to do: ./run chaos --help lists them", file=sys.stderr)  # noqa: T201
        return 2
    return one(scenarios()[name], rest)


def one(scenario: Scenario, arguments: list[str]) -> int:
    """Play *scenario* and print its line."""
    parser = argparse.ArgumentParser(prog=f"./run chaos {scenario.name}", description=scenario.story)
    parser.add_argument("--transport", choices=TRANSPORTS, default=LEASE, help="(%(default)s)")
    parser.add_argument("--lease", type=float, default=5, metavar="SECONDS", help="its length (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn at random (%(default)s)")
    if scenario.with_ledger:
        parser.add_argument("--ledger", action="store_true", help="jobs are toolkit tasks with an effect in PostgreSQL")
    parser.add_argument("--pool", choices=POOLS, default=PREFORK, help="of the workers (%(default)s)")
    parser.set_defaults(ledger=False)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave logs, journal and the broker's files in DIR")
    chosen = parser.parse_args(arguments)
    with database(chosen.ledger):
        outcome = play(
            scenario,
            transport=chosen.transport,
            lease=timedelta(seconds=chosen.lease),
            seed=chosen.seed,
            ledger=chosen.ledger,
            keep=chosen.keep,
            pool=chosen.pool,
        )
    print(outcome.line)  # noqa: T201
    return 1 if outcome.misses(scenario.allowed) else 0


def overview() -> str:
    """How it is called, and the scenarios by name."""
    width = max(map(len, scenarios()))
    lines = [f"  {each.name:<{width}}  {each.story}" for each in scenarios().values()]
    return "\n".join([(__doc__ or "").strip(), "", "scenarios:", *lines, "", "./run chaos NAME --help tells more."])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
