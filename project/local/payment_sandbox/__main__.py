"""python -m project.local.payment_sandbox: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from .books import Books
from .journal import BooksDamaged, Journal
from .server import SandboxServer

EPILOG = """\
Use it: STRIPE_API_BASE=http://HOST:PORT and any STRIPE_API_KEY that begins with sk_test_.
Cards:  pm_card_visa pays; pm_card_visa_chargeDeclined and pm_card_visa_chargeDeclinedInsufficientFunds don't.
Look:   GET /sandbox/books, GET /sandbox/health.
Break:  POST /sandbox/faults, for instance
        {"idempotency_key": "order-7", "fault": "hang", "seconds": 5, "when": "after", "times": 2}
        fault: status (with "status": 503), hang, drop; when: before, during or after charging;
        idempotency_key: null for any request. DELETE /sandbox/faults forgets what has not happened.
"""


def main() -> int:
    """Parse the command line, serve, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m project.local.payment_sandbox",
        description="A payment provider for this machine that speaks Stripe's API and keeps its books in a file.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=12111, help="port, 0 for any free one (%(default)s)")
    parser.add_argument("--books", type=Path, required=True, metavar="FILE", help="where the books are kept")
    arguments = parser.parse_args()
    try:
        books = Books(Journal(arguments.books))
        server = SandboxServer((arguments.host, arguments.port), books)
    except (OSError, OverflowError, BooksDamaged) as error:
        print(f"payment sandbox: can't serve {arguments.host}:{arguments.port}: {error}", file=sys.stderr)
        return 1
    host, port = server.server_address[:2]
    print(f"payment sandbox: http://{host!s}:{port}, books in {arguments.books}", flush=True)
    _serve(server)
    return 0


def _serve(server: SandboxServer) -> None:
    signals = {signal.SIGTERM, signal.SIGINT}
    for number in signals:
        signal.signal(number, signal.default_int_handler)  # one that is ignored would never be waited for
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    signal.sigwait(signals)
    server.shutdown()
    server.server_close()
    server.books.close()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # the threads of open and hanging connections are not waited for
