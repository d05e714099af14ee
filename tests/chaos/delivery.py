"""`./run chaos delivery`: every scenario, on the leased transport or on both, counted into one table.

Prints one line of JSON a scenario as it goes, and the table at the end. Exit code 1 if the leased transport missed what
is promised; what stock Celery loses is told, and is no failure of this command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from datetime import timedelta

from tests.chaos.outcome import Outcome
from tests.chaos.playing import database, play
from tests.chaos.record import record_merge, record_read
from tests.chaos.report import page_write, table
from tests.chaos.scenario import Scenario, scenarios
from tests.chaos.suggestion import suggestion
from tests.chaos.transports import LEASE, TRANSPORTS


def main(arguments: list[str]) -> int:
    """Play them all, or those asked for."""
    chosen = _parser().parse_args(arguments)
    if chosen.page:
        page_write(record_read())
        return 0
    outcomes = []
    with database(chosen.ledger):
        for scenario in _wanted(chosen.only or scenarios()):
            if chosen.ledger and not scenario.with_ledger:
                continue
            for transport in TRANSPORTS if chosen.both else [chosen.transport]:
                outcome = play(
                    scenario,
                    transport=transport,
                    lease=timedelta(seconds=chosen.lease),
                    seed=chosen.seed,
                    ledger=chosen.ledger,
                )
                print(outcome.line, flush=True)  # noqa: T201
                outcomes.append(outcome)
                if chosen.docs:
                    record_merge([outcome])
    if chosen.docs:
        page_write(record_read())
    print(f"\n{table(outcomes)}")  # noqa: T201
    return 1 if failures(outcomes) else 0


def failures(outcomes: Iterable[Outcome]) -> list[str]:
    """What the leased transport missed: "scenario: figure, figure"."""
    missed = [
        (outcome.scenario, outcome.misses(scenarios()[outcome.scenario].allowed))
        for outcome in outcomes
        if outcome.transport == LEASE
    ]
    return [f"{name}: {', '.join(figures)}" for name, figures in missed if figures]


def _wanted(names: Iterable[str]) -> list[Scenario]:
    unknown = [name for name in names if name not in scenarios()]
    if unknown:
        sys.exit(
            f"run: there is no scenario {unknown[0]!r}{suggestion(unknown[0], scenarios())}\n"
            "  to do: ./run chaos --help lists them"
        )
    return [scenarios()[name] for name in names]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run chaos delivery", description=__doc__)
    parser.add_argument("--transport", choices=TRANSPORTS, default=LEASE, help="(%(default)s)")
    parser.add_argument(
        "--both", action="store_true", help="the leased transport and stock Celery, one after the other"
    )
    parser.add_argument("--docs", action="store_true", help="put the figures into docs/chaos.jsonl and docs/chaos.md")
    parser.add_argument("--page", action="store_true", help="write docs/chaos.md out of docs/chaos.jsonl; play nothing")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these scenarios instead of all")
    parser.add_argument("--lease", type=float, default=5, metavar="SECONDS", help="its length (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn at random (%(default)s)")
    parser.add_argument("--ledger", action="store_true", help="jobs are toolkit tasks with an effect in PostgreSQL")
    return parser
