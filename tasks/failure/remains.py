"""What a dead job leaves: its message, as far as it can be read, and the cause of its death."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from traceback import format_exception
from typing import Any, Final

from kombu.utils.json import dumps, loads

from ..enqueue import rows
from ..enqueue.models import OutboxMessage
from .fingerprints import culprit
from .letter_models import DeadLetter
from .readable import bounded

ID_MAX: Final = 255

# Named here, too, as it is by a letter's generation that deaths are told apart.
GENERATION: Final = rows.GENERATION

FOLLOWS: Final = ("callbacks", "errbacks", "chain", "chord")

# What the worker adds to a message's headers while it holds the message, and when it was to be run first.
_ADDED: Final = frozenset(
    {
        *FOLLOWS, "args", "kwargs", "properties", "reply_to", "correlation_id", "hostname", "delivery_info", "headers",
        "loglevel", "logfile", "is_eager", "called_directly", "utc", "time_limit", "soft_time_limit", "taskset",
        "redelivered", "eta",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """A dead job's message.

    task_id: "" when the message has none that can be read. headers, properties: of the message.
    body: its text, `[args, kwargs, follows]` as JSON; "" when it can't be read, then *raw* has the bytes.
    queue: the routing key. tag: the broker's name for the message, if it has one that lasts.
    deliveries: how often the message was handed to a worker, as far as anybody counted; 0 when nobody did.
    """

    task_id: str
    name: str
    headers: Mapping[str, Any]
    properties: Mapping[str, Any] = field(default_factory=dict)
    body: str = ""
    raw: bytes | None = None
    queue: str = ""
    exchange: str = ""
    priority: int = 0
    tag: str = ""
    deliveries: int = 0

    @property
    def id(self) -> str:
        """The job's id, as the database can hold it, or one made up of the message, the same whenever it comes."""
        if self.task_id:
            return bounded(self.task_id, ID_MAX)
        return f"raw:{self.tag or sha256(self.queue.encode() + (self.raw or self.body.encode())).hexdigest()}"

    @property
    def generation(self) -> int:
        """Of which redrive the message is; 0: of none."""
        return _whole(self.headers.get(GENERATION))

    @property
    def is_replaced(self) -> bool:
        """Whether it took the place of that redrive's message."""
        return bool(self.generation) and _whole(self.headers.get(rows.REPLACED)) == self.generation

    @property
    def retries(self) -> int:
        """How often it was tried again before this attempt."""
        return _whole(self.headers.get("retries"))

    @property
    def parts(self) -> tuple[Any, Any, dict[str, Any]]:
        """(args, kwargs, follows), empty where the body can't be read."""
        args, kwargs, follows = json.loads(self.body) if self.body else ([], {}, {})
        return args, kwargs, follows or {}

    @property
    def arguments(self) -> tuple[Any, Any]:
        """(args, kwargs) as the task is given them: a date is one again, as is whatever else JSON has no form for."""
        args, kwargs, _ = loads(self.body) if self.body else ([], {}, {})
        return args, kwargs


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a job died. culprit: the frame to blame, if a Python frame is."""

    reason: DeadLetter.Reason
    error_type: str
    error_message: str
    traceback: str = ""
    culprit: str = ""

    @classmethod
    def of(cls, reason: DeadLetter.Reason, error: BaseException) -> Cause:
        """The cause that *error* tells of."""
        return cls(
            reason=reason,
            error_type=type(error).__qualname__,
            error_message=said(error),
            traceback="".join(format_exception(error)) if error.__traceback__ else "",
            culprit=culprit(error.__traceback__),
        )

    def __str__(self) -> str:
        return f"{self.error_type}: {self.error_message}" if self.error_message else self.error_type


def said(error: BaseException) -> str:
    """What *error* says, whatever its `__str__` does."""
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001 -- whatever __str__ of somebody's error raises, the job must get its letter
        return f"(its text can't be had: {type(failure).__name__})"


def of_request(request: Any) -> Remains:
    """Of the job that Celery's *request*, a task's context, is about; its args and kwargs as they came."""
    info = request.delivery_info or {}
    follows = {name: getattr(request, name, None) for name in FOLLOWS}
    return Remains(
        task_id=str(request.id),
        name=str(getattr(request, "task", "")),
        headers=headers_of(vars(request)),
        properties={"correlation_id": request.correlation_id or "", "reply_to": request.reply_to or ""},
        body=dumps([request.args, request.kwargs, follows]),
        queue=str(info.get("routing_key") or ""),
        exchange=str(info.get("exchange") or ""),
        priority=_whole(info.get("priority")),
        deliveries=deliveries_of(vars(request), {**info, **(getattr(request, "properties", None) or {})}),
    )


def of_message(message: Any, *, body: str = "", raw: bytes | None = None) -> Remains:
    """Of kombu's *message*: *body* its text, if that can be read, else its *raw* bytes."""
    headers = message.headers if isinstance(message.headers, Mapping) else {}
    info = message.delivery_info or {}
    tag = message.delivery_tag
    return Remains(
        task_id=_text(headers.get("id")),
        name=_text(headers.get("task")),
        headers=headers_of(headers),
        properties={
            "correlation_id": _text(message.properties.get("correlation_id")),
            "reply_to": _text(message.properties.get("reply_to")),
            "content_type": _text(message.content_type),
            "content_encoding": _text(message.content_encoding),
        },
        body=body,
        raw=raw,
        queue=str(info.get("routing_key") or ""),
        exchange=str(info.get("exchange") or ""),
        priority=_whole(message.properties.get("priority")),
        tag=tag if isinstance(tag, str) else "",  # RabbitMQ's are numbers, anew on each channel
        deliveries=deliveries_of(headers, {**info, **message.properties}),
    )


def of_row(row: OutboxMessage) -> Remains:
    """Of a job by its row in the outbox."""
    return Remains(
        task_id=row.task_id,
        name=row.name,
        headers=row.headers,
        properties=row.properties,
        body=row.body,
        queue=row.routing_key,
        exchange=row.exchange,
        priority=row.priority,
    )


def headers_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """The message's own headers among *found*."""
    return {name: value for name, value in found.items() if name not in _ADDED and not name.startswith("_")}


def deliveries_of(headers: Mapping[str, Any], info: Mapping[str, Any]) -> int:
    """How often the message was delivered, this time included, by a broker that counts; 0 when none does.

    info: its delivery info and its properties.
    """
    if "deliveries" in info:
        return _whole(info["deliveries"])
    counts = info.get("x-counts")  # the leased transport's; absent at first
    if isinstance(counts, Mapping):
        return _whole(counts.get("delivered")) + 1
    before = headers.get("x-delivery-count")  # a quorum queue of RabbitMQ's; absent at first
    return _whole(before) + 1 if before is not None else 0


def mapping(value: Any) -> Mapping[str, Any]:
    """*value*, or an empty mapping for whatever is none."""
    return value if isinstance(value, Mapping) else {}


def links_of(chain: Any) -> list[Mapping[str, Any]]:
    """What of a message's chain can be signatures: a foreign message may say anything."""
    return [link for link in chain if isinstance(link, Mapping)] if isinstance(chain, list | tuple) else []


def _whole(value: Any) -> int:
    """*value* as a small whole number, 0 for whatever is none: a foreign message may say anything."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 32_768 else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
