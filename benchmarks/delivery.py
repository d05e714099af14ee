"""What delivery costs, ours beside stock Celery and others, in one run: `./run bench delivery`.

Prints one line of JSON a measurement and tables of medians at the end. Contenders take turns in every round, since a
machine is seldom equally busy for long. CPU seconds a thousand jobs is the figure to trust.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.broker import Broker
from benchmarks.celery_contenders import IDEAL, OURS, POOLS, STOCK, TELLING, celery_contenders, ideal_contenders
from benchmarks.contender import Contender
from benchmarks.findings import Findings
from benchmarks.gauges.backlog import SMALL, backlog
from benchmarks.gauges.drain import drain
from benchmarks.gauges.enqueueing import bulk, one_by_one
from benchmarks.gauges.idle import idle
from benchmarks.gauges.latency import latency
from benchmarks.peers import PEERS, peers, peers_install
from project.local.ports import FreePorts
from project.local.valkey import BrokerValkey

GAUGES = ("drain", "latency", "idle", "one_by_one", "bulk", "backlog")


def main() -> None:
    """Measure what the options ask for."""
    arguments = _arguments()
    if arguments.peers:
        peers_install()
    with tempfile.TemporaryDirectory(prefix="rootstock-bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        with BrokerValkey(directory=directory / "valkey", port=FreePorts().pick("valkey"), name="valkey") as valkey:
            broker = Broker(valkey)
            with ExitStack() as stack:
                others = stack.enter_context(peers(broker, directory)) if arguments.peers else []
                more = f"--loglevel {arguments.loglevel}{' --task-events' if arguments.events else ''}"
                ours = celery_contenders(broker, arguments.pools, prefetch=arguments.prefetch, more=more)
                ideal = ideal_contenders(broker, arguments.pools, directory, more=more)
                wanted = [one for one in [*ours, *ideal, *others] if one.courier in arguments.couriers]
                _run(arguments, wanted, broker, directory)


def _run(arguments: argparse.Namespace, contenders: list[Contender], broker: Broker, directory: Path) -> None:
    findings = Findings("Celery, prefork -c 2")
    try:
        for gauge, measure in _gauges(arguments, broker, directory).items():
            for _ in range(arguments.rounds):
                for contender in _of(gauge, contenders):
                    findings.add(gauge, contender.name, measure(contender))
    finally:
        findings.show()


def _of(gauge: str, contenders: list[Contender]) -> list[Contender]:
    """Publishing is the same whatever the pool is, so one of each courier does. The ideal are worked off only."""
    if gauge != "drain":
        contenders = [one for one in contenders if one.courier not in (IDEAL, TELLING)]
    if gauge not in ("one_by_one", "bulk"):
        return [one for one in contenders if one.queue or not gauge.startswith("backlog")]
    return list({one.courier: one for one in reversed(contenders)}.values())[::-1]


def _gauges(
    arguments: argparse.Namespace, broker: Broker, directory: Path
) -> dict[str, Callable[[Contender], dict[str, float]]]:
    jobs, waiting = arguments.jobs, arguments.backlog
    every: dict[str, Callable[[Contender], dict[str, float]]] = {
        "drain": lambda one: drain(one, broker, directory, jobs=jobs),
        "latency": lambda one: latency(one, broker, directory, jobs=max(100, jobs // 10)),
        "idle": lambda one: idle(one, broker, directory, seconds=arguments.seconds),
        "one_by_one": lambda one: one_by_one(one, broker, jobs=jobs),
        "bulk": lambda one: bulk(one, broker, jobs=jobs),
        f"backlog of {SMALL:,}": lambda one: backlog(one, broker, directory, jobs=jobs, waiting=SMALL),
        f"backlog of {waiting:,}": lambda one: backlog(one, broker, directory, jobs=jobs, waiting=waiting),
    }
    return {name: measure for name, measure in every.items() if name.split(" of ")[0] in arguments.only}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench delivery", description=__doc__)
    parser.add_argument("--only", type=_names(GAUGES), default=list(GAUGES), help=f"of {','.join(GAUGES)}")
    parser.add_argument("--pools", type=_names(tuple(POOLS)), default=list(POOLS), help=f"of {','.join(POOLS)}")
    couriers = (STOCK, OURS, IDEAL, TELLING, *PEERS)
    parser.add_argument("--couriers", type=_names(couriers), default=list(couriers), help=f"of {','.join(couriers)}")
    parser.add_argument("--peers", action="store_true", help="others as well, installed in var/bench if need be")
    parser.add_argument("--jobs", type=int, default=5_000, help="jobs a measurement (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="seconds to be idle (%(default)s)")
    parser.add_argument(
        "--backlog", type=int, default=1_000_000, help="jobs that wait in a large backlog (%(default)s)"
    )
    parser.add_argument("--prefetch", type=int, default=4, help="worker_prefetch_multiplier (%(default)s)")
    parser.add_argument("--loglevel", default="WARNING", help="the workers' (%(default)s, Celery's own default)")
    parser.add_argument("--events", action="store_true", help="the workers tell monitors of every step")
    return parser.parse_args()


def _names(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    main()
