"""What every test finds: the project's Celery app is the current one, though importing pytest-celery makes another."""

from __future__ import annotations

import signal

from hypothesis import settings

from project.celery import app

app.set_current()

settings.register_profile("suite", deadline=None)  # on a busy machine an example is slow, not wrong
settings.load_profile("suite")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has what it runs in the background ignore Ctrl-C, and what that starts in turn. Here it is tried.
    signal.signal(signal.SIGINT, signal.default_int_handler)
