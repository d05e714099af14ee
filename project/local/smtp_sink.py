"""A mail server that delivers nothing: each mail becomes a file, to be looked at or counted.

python -m project.local.smtp_sink --host 127.0.0.1 --port 1025 --dir var/mail
"""

from __future__ import annotations

import argparse
import asyncio
import email
import email.policy
import itertools
import signal
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

from aiosmtpd.smtp import SMTP, Envelope, Session

MAIL_MAX_BYTES: Final = 10 * 1024 * 1024
MAILS_MAX: Final = 10_000


class Sink:
    """aiosmtpd's handler: writes each mail to *directory* under a name that sorts by arrival."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._numbers = itertools.count(1)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep one mail; the answer is SMTP's. Refuses when the directory holds MAILS_MAX mails."""
        if sum(1 for _ in self._directory.glob("*.eml")) >= MAILS_MAX:
            return f"452 the sink holds {MAILS_MAX} mails; remove some from its directory"
        name = f"{time.time_ns()}-{next(self._numbers):06d}"
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        unfinished = self._directory / f"{name}.part"
        unfinished.write_bytes(head.encode() + _bytes(envelope.content))
        unfinished.rename(self._directory / f"{name}.eml")  # whoever reads sees the whole mail or none
        return "250 kept"


def read_mails(directory: Path) -> list[EmailMessage]:
    """The mails kept in *directory*, the earliest first, with X-Envelope-From and X-Envelope-To added."""
    parser = email.policy.default
    return [email.message_from_bytes(file.read_bytes(), policy=parser) for file in sorted(directory.glob("*.eml"))]


async def serve(*, host: str, port: int, directory: Path) -> None:
    """Take mails until SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    sink = Sink(directory)

    def connection() -> Any:
        return SMTP(sink, data_size_limit=MAIL_MAX_BYTES, hostname="localhost", ident="sink", loop=loop)

    server = await loop.create_server(connection, host, port)
    print(f"taking mails on {host}:{port}, keeping them in {directory}", flush=True)
    await stopping.wait()
    server.close()


def main() -> None:
    """Run the sink from the command line."""
    parser = argparse.ArgumentParser(prog="smtp_sink", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dir", type=Path, required=True, help="where each mail becomes a file")
    arguments = parser.parse_args()
    asyncio.run(serve(host=arguments.host, port=arguments.port, directory=arguments.dir))


def _bytes(content: bytes | str | None) -> bytes:
    return content.encode() if isinstance(content, str) else content or b""


if __name__ == "__main__":
    main()
