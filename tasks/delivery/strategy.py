"""How a worker takes up a leased message: Celery's own strategy, spared what costs and nobody asked for.

What is spared, and why nothing is lost by it:

- With prefork the body is decoded once, here, where Celery looks at it anyway, and goes to the child as it is. Celery
  decodes it once more there; it hands on the messages of its first protocol as this does. Where jobs run in this
  process they get a copy of their own: one that changes its arguments must not change what is kept of the message.
  It is decoded once more only where there is something in it that could be changed.
- An acknowledgement is no conversation with the server. It is written down for the next one, so it needs no turn of
  the event loop, whichever thread it comes from.

Everything else is Celery's: its signals, events, logs, revokes, limits. What is out of the ordinary (an ETA, an
expiry, a rate limit, another protocol, a connection whose prefetch limit is being restored) goes its whole way.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from celery import signals
from celery.app import trace
from celery.concurrency.prefork import TaskPool
from celery.worker import state
from celery.worker import strategy as celerys
from kombu import serialization
from kombu.utils import json as kombu_json
from kombu.utils.imports import symbol_by_name

from .message import LeasedMessage

CELERYS: Final = "celery.worker.strategy:default"
"""What a task has whose strategy nobody has chosen."""
JSON: Final = "application/json"
_BODY: Final = 3
"""A body is arguments, keyword arguments, and what follows."""
_DECODER: Final = json.JSONDecoder(object_hook=kombu_json.object_hook)
_SCALARS: Final = frozenset({int, str, float, bool, type(None)})
_TYPES_THAT_CROSS: Final = frozenset({"bytes", "base64", "datetime", "date", "time", "decimal", "uuid"})
"""Markers of what kombu's JSON makes by itself; all of it can be pickled. An app may have added others."""


def leased(task: Any, app: Any, consumer: Any, **kwargs: Any) -> Callable[..., Any]:
    """The strategy of *task* in this worker. Only for a broker of ours."""
    ordinary = celerys.default(task, app, consumer, **kwargs)
    request_of = celerys.create_request_cls(  # type: ignore[attr-defined] # its stubs leave it out
        symbol_by_name(task.Request), task, consumer.pool, consumer.hostname, consumer.event_dispatcher, app=app
    )
    take_up, buckets, revoked = consumer.on_task_request, consumer.task_buckets, consumer.controller.state.revoked
    log, tell = _logger(), _teller(task, consumer.event_dispatcher)
    utc = app.uses_utc_timezone()
    goes_elsewhere = isinstance(consumer.pool, TaskPool) and _TYPES_THAT_CROSS.issuperset(_types_read())

    def on_message(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> Any:
        bucket = buckets[task.name]
        if not _is_plain(message, body) or bucket is not None or not consumer._maximum_prefetch_restored:
            taken = ordinary(message, body, ack, reject, callbacks)
            if bucket and bucket.contents and bucket.contents[-1][0]._message is message:
                message.channel.waits_for_its_rate(message)
            return taken
        decoded = message.payload if goes_elsewhere else _copied(message.payload)
        request = request_of(
            message,
            on_ack=message.ack_log_error,
            on_reject=reject,
            app=app,
            hostname=consumer.hostname,
            eventer=consumer.event_dispatcher,
            task=task,
            connection_errors=consumer.connection_errors,
            body=message.body if decoded is None else decoded,
            headers=message.headers,
            decoded=decoded is not None,
            utc=utc,
        )
        log(request)
        if request.id in revoked and request.revoked():
            return None
        signals.task_received.send(sender=consumer, request=request)
        tell(request)
        state.task_reserved(request)
        for callback in callbacks or ():
            callback(request)
        take_up(request)
        return None

    return on_message


def _types_read() -> Iterable[str]:
    """Markers of what this process's JSON makes objects of."""
    markers: Iterable[str] = kombu_json._decoders  # type: ignore[attr-defined] # kombu keeps it to itself
    return markers


def _payload(message: Any) -> Any:
    """The decoded body of a message in JSON. kombu makes a decoder for each one, and looks for its codec each time."""
    if message._decoded_cache or not (message.accept and JSON in message.accept) or not _json_is_kombus():
        return message.payload
    body = message.body
    try:
        payload = _DECODER.decode(body if isinstance(body, str) else body.decode())
    except Exception:  # noqa: BLE001 -- whatever it may be, kombu's error for it is the one that is known
        return message.payload
    message._decoded_cache = payload
    return payload


def _json_is_kombus() -> bool:
    """Whether nobody has registered another codec in its place."""
    decoders: dict[str, Any] = serialization.registry._decoders  # type: ignore[attr-defined] # it keeps them to itself
    return decoders.get(JSON) is kombu_json.loads


def _is_plain(message: Any, body: Any) -> bool:
    """Whether it is a message of the present protocol, in JSON, that is to run at once."""
    if body is not None or not isinstance(message, LeasedMessage) or message.content_type != JSON:
        return False
    headers = message.headers
    if headers.get("eta") or headers.get("expires") or message.errors:
        return False
    payload = _payload(message)
    return isinstance(payload, list) and len(payload) == _BODY and isinstance(payload[1], dict)


def _copied(payload: list[Any]) -> list[Any] | None:
    """A body with arguments of its own, as *payload* has them; None if something in it could be changed."""
    arguments, named, after = payload
    if type(arguments) is not list or type(after) is not dict or any(after.values()):  # what follows is taken out of it
        return None
    if _SCALARS.issuperset(map(type, arguments)) and _SCALARS.issuperset(map(type, named.values())):
        return [[*arguments], {**named}, after]
    return None


def _logger() -> Callable[[Any], None]:
    """Tells the log, as Celery would, that a message has been received."""
    if not celerys.logger.isEnabledFor(logging.INFO):
        return _nobody

    def log(request: Any) -> None:
        told = {
            "id": request.id,
            "name": request.name,
            "args": request.argsrepr,
            "kwargs": request.kwargsrepr,
            "eta": None,
        }
        celerys.logger.info(trace.LOG_RECEIVED, told, extra={"data": told})

    return log


def _teller(task: Any, eventer: Any) -> Callable[[Any], None]:
    """Tells who listens to events."""
    if not (eventer and eventer.enabled and task.send_events):
        return _nobody

    def tell(request: Any) -> None:
        if nobody_listens(eventer):
            return
        eventer.send(
            "task-received",
            uuid=request.id,
            name=request.name,
            args=request.argsrepr,
            kwargs=request.kwargsrepr,
            root_id=request.root_id,
            parent_id=request.parent_id,
            retries=request.request_dict.get("retries", 0),
            eta=None,
            expires=None,
        )

    return tell


def nobody_listens(eventer: Any) -> bool:
    """To what *eventer* may tell of jobs. It may be asked to, at any time."""
    return bool(eventer.groups) and "task" not in eventer.groups


def _nobody(request: Any) -> None:
    """Nobody listens."""
