"""How the suite plays the scenarios of `./run chaos`.

Recovery is not judged as strictly as by the command: a busy machine is late without being wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from tests.chaos.outcome import Outcome
from tests.chaos.playing import play
from tests.chaos.scenario import scenarios
from tests.chaos.transports import LEASE

LENGTH: Final = timedelta(seconds=3)
TIMED: Final = frozenset({"recovery_seconds"})


def short(name: str, *, transport: str = LEASE, environment: Mapping[str, str] | None = None) -> Outcome:
    """Play it. environment: of a database; the jobs are toolkit tasks then."""
    return play(
        scenarios()[name],
        transport=transport,
        lease=LENGTH,
        ledger=environment is not None,
        environment=environment,
    )
