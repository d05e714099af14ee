"""`idempotent`: what `once` is to a task, for code that is none."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from ..conf import conf
from ..errors import KeyInProgress, OutcomeUnknown
from ..keys import check_key, fingerprint
from .ledger import Answer, Busy, Claim, Done, Ledger, TransactionalLedger
from .ledgers.postgres import PostgresLedger
from .settlement import CUT_OFF

DEFAULT_LEDGER: Final = PostgresLedger()
DEFAULT_TTL: Final = timedelta(days=30)
DEFAULT_LEASE: Final = timedelta(minutes=10)


@dataclass(slots=True, kw_only=True)
class Effect:
    """An effect under a key, for the time of a `with` block.

    replayed: it has happened before; then *result* is what was stored, and nothing is to be done.
    result: to be set by the block that brings it about; JSON as messages carry it.
    """

    key: str
    replayed: bool
    result: Any = None


@contextmanager
def idempotent(
    key: str,
    *,
    arguments: Mapping[str, Any] | None = None,
    ttl: timedelta = DEFAULT_TTL,
    lease: timedelta = DEFAULT_LEASE,
    ledger: Ledger = DEFAULT_LEDGER,
) -> Iterator[Effect]:
    """Bring about an effect once under *key*.

        with idempotent(f"invitations:{email}", arguments={"team": team.pk}) as effect:
            if not effect.replayed:
                effect.result = invite(email, team)
        return effect.result

    arguments: what the effect depends on; the same key with others is a mistake. ttl: how long it is remembered.
    ledger: the database's, unless told otherwise. Then the block is a transaction (a part of the caller's, if there is
        one), and commits together with its record. With another ledger the block may take *lease* at most, an
        exception in it says that nothing has happened, and one that can't say so raises OutcomeUnknown.

    Raises KeyInProgress while another block is at it, after waiting for `LEDGER_WAIT` in the database; KeyConflict for
    other arguments; ResultRefused; ValueError for a key that is none. With another ledger also OutcomeUnknown, when an
    earlier block vanished, and ClaimLost, when this one took too long.
    """
    given: dict[str, Any] = {
        "fingerprint": fingerprint("idempotent", arguments or {}),
        "owner": f"{socket.gethostname()}:{os.getpid()}",
        "ttl": ttl,
    }
    check_key(key)
    if isinstance(ledger, TransactionalLedger):
        with ledger.once(key, wait=conf().ledger_wait, **given) as answer:
            effect = _effect(key, answer)
            yield effect
            if isinstance(answer, Claim):
                ledger.complete(answer, effect.result, ttl=ttl)
        return
    answer = ledger.claim(key, lease=lease, **given)
    try:
        effect = _effect(key, answer)
        yield effect
    except Exception as error:
        if isinstance(answer, Claim):
            (ledger.abandon if isinstance(error, CUT_OFF) else ledger.release)(answer)
        raise
    if isinstance(answer, Claim):
        ledger.complete(answer, effect.result, ttl=ttl)


def _effect(key: str, answer: Answer) -> Effect:
    match answer:
        case Busy(owner=owner):
            raise KeyInProgress(key, owner)
        case Done(result=result):
            return Effect(key=key, replayed=True, result=result)
        case Claim(unknown=True):
            raise OutcomeUnknown(key)
    return Effect(key=key, replayed=False)
