"""Messages that no task was given: what they leave, and how they die.

For whoever takes a message out of circulation: the worker's consumer, the intake, a broker's own queue of dead letters.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps, loads

from ..enqueue import rows
from ..enqueue.models import OutboxMessage
from ..failure.letters import letter_note, letter_write
from ..failure.readable import readable
from ..failure.remains import GENERATION, ID_MAX, Cause, Remains, headers_of, of_message
from ..failure.shapes import payload_flaw
from .deaths import job_die, stand_in

log = logging.getLogger(__name__)


def message_die(remains: Remains, cause: Cause) -> bool:
    """End the job that the message is for as dead, in the caller's transaction; acknowledge it after the commit.

    False when that is on record already. Does no harm a second time. A message so odd that nobody can be told of its
    death leaves a letter at least; but what can't end a job that is alive on record is raised, and is to be put right.
    """
    try:
        with transaction.atomic(using=rows.alias()):
            return job_die(stand_in(remains), cause, remains=remains)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        if OutboxMessage.objects.using(rows.alias()).filter(task_id=remains.id, finished_at=None).exists():
            raise
        log.exception("%s[%s] leaves a letter, and nobody is told of its death", remains.name, remains.id)
        return _keep(remains, cause, f"nobody was told of its death: {type(error).__name__}")


def flaw(message: Any) -> str:
    """What is wrong with kombu's *message*, which claims to be a task's.

    "" when nothing is, when it can't be read at all, and when it is of Celery's first protocol.
    """
    if not isinstance(message.headers, Mapping):
        return "its headers are no mapping"
    if "task" not in message.headers:
        return "" if not message.headers.get("id") else "it has an id, but names no task"
    for name in ("id", "task"):
        if not isinstance(message.headers.get(name), str) or not message.headers[name]:
            return f"its header {name!r} is no text"
        if readable(message.headers[name]) != message.headers[name]:
            return f"its header {name!r} holds characters that no database does"
    if len(message.headers["id"]) > ID_MAX:
        return f"its header 'id' is longer than {ID_MAX} characters"
    try:
        payload = message.payload
    except Exception:  # noqa: BLE001 -- what can't be read is noticed by Celery, which calls `on_decode_error`
        return ""
    return _flaw_of(payload)


def remains_of(message: Any) -> Remains:
    """What kombu's *message* leaves: its body's text if that is a task's, else its bytes."""
    try:
        payload = message.payload
    except Exception:  # noqa: BLE001 -- kept as bytes, whatever it is
        payload = None
    if payload_flaw(payload):
        body = message.body
        return of_message(message, raw=body if isinstance(body, bytes) else _bytes(str(body)))
    text = bytes_to_str(message.body) if message.content_type == "application/json" else dumps(payload)
    return of_message(message, body=text)


def remains_of_bytes(raw: bytes, *, tag: str, queue: str, deliveries: int = 0) -> Remains:
    """What an entry of a Redis list leaves, which should be kombu's envelope as JSON, and may be anything.

    tag: a name for it that lasts. queue: where it was found, for an envelope that doesn't say.
    """
    envelope = _envelope(raw)
    headers = envelope.get("headers")
    headers = headers if isinstance(headers, Mapping) else {}
    properties = envelope.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    info = properties.get("delivery_info")
    info = info if isinstance(info, Mapping) else {}
    body = _body(envelope, properties)
    priority = properties.get("priority")
    return Remains(
        task_id=_text(headers.get("id")),
        name=_text(headers.get("task")),
        headers=headers_of(headers),
        properties={name: _text(properties.get(name)) for name in ("correlation_id", "reply_to")},
        body=body,
        raw=None if body else raw,
        queue=_text(info.get("routing_key")) or queue,
        exchange=_text(info.get("exchange")),
        priority=priority if isinstance(priority, int) and 0 <= priority < 256 else 0,
        tag=tag,
        deliveries=deliveries,
    )


def _keep(remains: Remains, cause: Cause, note: str) -> bool:
    """Write the letter alone: of the whole message, or of its bytes if that can't be."""
    try:
        with transaction.atomic(using=rows.alias()):
            letter = letter_write(remains, cause)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("%s[%s] is kept as bytes", remains.name, remains.id)
        body = remains.raw or remains.body.encode("utf-8", "surrogateescape")
        bare = replace(remains, headers={GENERATION: remains.generation}, properties={}, body="", raw=body)
        letter = letter_write(bare, cause)
    letter_note(letter, note)
    return letter is not None


def _envelope(raw: bytes) -> Mapping[str, Any]:
    try:
        envelope = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return envelope if isinstance(envelope, Mapping) else {}


def _body(envelope: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    """The text of a task's body; "" when there is none that can be read."""
    body = envelope.get("body")
    if not isinstance(body, str) or envelope.get("content-type") != "application/json":
        return ""
    try:
        text = base64.b64decode(body, validate=True).decode() if properties.get("body_encoding") == "base64" else body
        return "" if payload_flaw(loads(text)) else text
    except Exception:  # noqa: BLE001 -- kept as bytes, whatever it is
        return ""


def _flaw_of(payload: Any) -> str:
    if isinstance(payload, Mapping) and "args" in payload:
        return ""  # Celery's first protocol, in a message of its second
    return payload_flaw(payload)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
