"""What became of one scenario's jobs, and whether that is good enough."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

# A dead worker's jobs run again within so many leases.
RECOVERY_LEASES: Final = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One line of JSON.

    sent: jobs whose publishing was answered. refused: jobs whose publishing raised an error.
    done: jobs that ran to their end at least once. kept: jobs in the intake, for a person to look at.
    lost: sent, never done, and nowhere on the broker any more. forgotten: the same, of jobs whose publishing had not
    reached the disk when the power was cut. stuck: still on the broker when all should be over.
    doubled: jobs of which more than one run began; needless: those among them whose earlier run's worker was neither
    killed nor frozen. most_runs: of one job. doubled_effects: jobs whose effect happened twice; None without a ledger.
    recovery_seconds: the longest time from harm to a worker until a job that was cut by it ran anew.
    harms: how often something was killed, frozen, cut or swallowed: a scenario with none has shown nothing.
    poison: how many of the jobs can't be done, and belong into the intake.
    """

    scenario: str
    transport: str
    sent: int
    refused: int
    done: int
    kept: int
    lost: int
    forgotten: int
    stuck: int
    doubled: int
    needless: int
    most_runs: int
    doubled_effects: int | None
    harms: int
    recovery_seconds: float | None
    lease_seconds: float
    seconds: float
    poison: int
    seed: int

    def misses(self, allowed: frozenset[str] = frozenset()) -> list[str]:
        """Names of the figures that are worse than promised; *allowed* ones can't be better, by their nature."""
        late = self.recovery_seconds is not None and self.recovery_seconds > RECOVERY_LEASES * self.lease_seconds
        found = {
            "lost": self.lost > 0,
            "stuck": self.stuck > 0,
            "needless": self.needless > 0,
            "doubled_effects": bool(self.doubled_effects),
            "recovery_seconds": late,
            "kept": self.kept != self.poison,
        }
        return [name for name, bad in found.items() if bad and name not in allowed]

    @property
    def name(self) -> str:
        """The scenario, and whether the jobs were toolkit tasks."""
        return self.scenario if self.doubled_effects is None else f"{self.scenario}, ledger"

    @property
    def line(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))
