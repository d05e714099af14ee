"""Threads that go on while everything else in the process computes.

Under `-P gevent` a `threading.Thread` is a greenlet: it stands still while a job computes, and a lease that it should
have renewed runs out meanwhile. So there a thread of the operating system is started. In it gevent's sockets, locks and
events work by an event loop of the thread's own.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable


def thread_start(run: Callable[[], None], name: str) -> None:
    """Call *run* in a new thread, which doesn't keep the process from ending. Raises RuntimeError if there is none."""
    gevent = sys.modules.get("gevent.monkey")  # whoever uses it has imported it
    if gevent is not None and gevent.is_module_patched("threading"):
        gevent.get_original("_thread", "start_new_thread")(run, ())
    else:
        threading.Thread(target=run, name=name, daemon=True).start()
