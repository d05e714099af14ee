"""The mail sink, run as it is run by `./run up`."""

from __future__ import annotations

import smtplib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.environment import variables_clean
from project.local.ports import HOST, FreePorts
from project.local.probes import smtp_probe
from project.local.smtp_sink import MAIL_MAX_BYTES, MAILS_MAX, read_mails
from project.local.waiting import wait_until


@dataclass
class RunningSink:
    """A real sink and where it keeps its mails."""

    port: int
    mails: Path


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[RunningSink]:
    """One that has no mails yet."""
    port, mails = FreePorts().pick("smtp"), tmp_path / "mails"
    module = ["-m", "project.local.smtp_sink", "--host", HOST, "--port", str(port), "--dir", str(mails)]
    child = Child(
        name="smtp",
        command=[sys.executable, *module],
        environment=variables_clean(),
        directory=PROJECT_ROOT,
        log=tmp_path / "smtp.log",
    )
    child.start()
    try:
        assert wait_until(smtp_probe(port), within=timedelta(seconds=30)), child.log_tail()
        yield RunningSink(port, mails)
    finally:
        child.stop()
    assert child.exit_code == 0


def send(sink: RunningSink, *, subject: str, text: str = "Guten Tag, Größe 42\n.\nend") -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@example.com", "visible@example.com", subject
    mail.set_content(text)
    with smtplib.SMTP(HOST, sink.port, timeout=10) as client:
        client.send_message(mail, "bounce@example.com", ["a@example.com", "b@example.com"])


def test_mails_are_read_back_whole_and_in_order(sink: RunningSink) -> None:
    """Tests count them, and look at whom they went to rather than at what the header says."""
    for number in range(3):
        send(sink, subject=f"Nr. {number} – größer")
    mails = read_mails(sink.mails)
    assert [mail["Subject"] for mail in mails] == [f"Nr. {number} – größer" for number in range(3)]
    assert mails[0].get_content().splitlines() == ["Guten Tag, Größe 42", ".", "end"]
    assert mails[0]["X-Envelope-From"] == "bounce@example.com"
    assert mails[0]["X-Envelope-To"] == "a@example.com, b@example.com"


def test_a_mail_that_is_too_large_is_refused(sink: RunningSink) -> None:
    """A report that grew a thousandfold should be noticed, and not fill the disk."""
    with pytest.raises(smtplib.SMTPException):
        send(sink, subject="large", text="x" * 70 + "\n" + ("y" * 70 + "\n") * (MAIL_MAX_BYTES // 70))
    assert read_mails(sink.mails) == []


def test_a_full_sink_refuses_and_says_so(sink: RunningSink) -> None:
    """A loop that sends mails stops somewhere."""
    for number in range(MAILS_MAX):
        (sink.mails / f"{number}.eml").touch()
    with pytest.raises(smtplib.SMTPDataError, match=f"holds {MAILS_MAX} mails"):
        send(sink, subject="one too many")


def test_a_mail_that_is_being_written_is_not_read(sink: RunningSink) -> None:
    """A reader would take half a mail for a whole one."""
    (sink.mails / "1-000001.part").write_bytes(b"Subject: ha")
    assert read_mails(sink.mails) == []
