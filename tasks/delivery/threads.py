"""Threads that go on while everything else in the process computes.

Under `-P gevent` a `threading.Thread` is a greenlet: it stands still while a job computes, and a lease that it should
have renewed runs out meanwhile. So there a thread of the operating system is started. In it gevent's sockets, locks and
events work by an event loop of the thread's own, which has to end before the interpreter does: that crashes else.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable


def thread_start(run: Callable[[], None], ended: Callable[[], None], name: str) -> None:
    """Call *run* in a new thread, which doesn't keep the process from ending, and then *ended*.

    Raises RuntimeError if there is no thread to be had.
    """
    gevent = sys.modules.get("gevent.monkey")  # whoever uses it has imported it
    if gevent is not None and gevent.is_module_patched("threading"):
        gevent.get_original("_thread", "start_new_thread")(_with_its_loop, (run, ended))
    else:
        threading.Thread(target=_in_turn, args=(run, ended), name=name, daemon=True).start()


def _in_turn(run: Callable[[], None], ended: Callable[[], None]) -> None:
    try:
        run()
    finally:
        ended()


def _with_its_loop(run: Callable[[], None], ended: Callable[[], None]) -> None:
    from gevent import get_hub  # type: ignore[import-untyped] # it is there, or nothing would be patched

    try:
        run()
    finally:
        get_hub().destroy(destroy_loop=True)
        ended()
