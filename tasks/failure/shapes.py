"""What a task's message is made of, whoever wrote it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kombu.utils.json import loads

_LISTS: Final = ("callbacks", "errbacks", "chain")


def message_flaw(headers: Any, properties: Any, body: Any) -> str:
    """What keeps these from being a task's message, *body* its text; "" when nothing does."""
    for name, value in (("headers", headers), ("properties", properties)):
        if not isinstance(value, Mapping):
            return f"its {name} are no mapping"
    if not isinstance(body, str):
        return "its body is no text"
    try:
        payload = loads(body)
    except Exception as error:  # noqa: BLE001 -- kombu's types raise what they like
        return f"its body can't be read ({type(error).__name__})"
    return payload_flaw(payload) or _follows_flaw(payload[2] or {})


def payload_flaw(payload: Any) -> str:
    """What keeps *payload* from being a task's body, [args, kwargs, follows]; "" when nothing does."""
    if not isinstance(payload, list | tuple) or len(payload) != 3:
        return "its body is no list of arguments, keyword arguments and what follows"
    args, kwargs, follows = payload
    if not isinstance(args, list | tuple) or not isinstance(kwargs, Mapping):
        return "its arguments are no list, or its keyword arguments no mapping"
    return "" if follows is None or isinstance(follows, Mapping) else "what is to follow it is no mapping"


def _follows_flaw(follows: Mapping[str, Any]) -> str:
    for name in _LISTS:
        links = follows.get(name) or []
        if not isinstance(links, list | tuple) or not all(_is_signature(link) for link in links):
            return f"its {name} are no list of signatures"
    return ""


def _is_signature(link: Any) -> bool:
    if not isinstance(link, Mapping) or not isinstance(link.get("task"), str):
        return False
    return all(isinstance(link.get(name) or {}, Mapping) for name in ("options", "kwargs"))
