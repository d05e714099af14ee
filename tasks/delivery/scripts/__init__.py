"""The steps that the server takes as one, in Lua, and how they get there.

Each script says in its head what its keys and arguments are and what always holds. `messages.lua` is no script of its
own: it stands in front of those that move messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError

if TYPE_CHECKING:
    from redis import Redis

_HERE: Final = Path(__file__).parent
_SHARED: Final = (_HERE / "messages.lua").read_text()

TEXTS: Final[dict[str, str]] = {
    **{name: _SHARED + (_HERE / f"{name}.lua").read_text() for name in ("claim", "settle", "renew")},
    "publish": (_HERE / "publish.lua").read_text(),
}

# From Redis 7 on a script may say that it is to run on a full server. These free memory, or move it, or refuse first.
_ON_A_FULL_SERVER: Final = "#!lua flags=allow-oom\n"
_MAY_RUN_FULL: Final = frozenset({"claim", "settle", "renew"})


def scripts_load(execute: Callable[..., Any]) -> dict[str, bytes]:
    """Load every script by `execute("SCRIPT", "LOAD", text)`; return their SHA-1s by name."""
    loaded: dict[str, bytes] = {}
    for name, text in TEXTS.items():
        if name in _MAY_RUN_FULL:
            try:
                loaded[name] = _ascii(execute("SCRIPT", "LOAD", _ON_A_FULL_SERVER + text))
                continue
            except ResponseError:  # Redis 6 takes the first line for an error
                pass
        loaded[name] = _ascii(execute("SCRIPT", "LOAD", text))
    return loaded


class ScriptClient:
    """Calls scripts through a client of its own; loads them when the server doesn't know them."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self._loaded: dict[str, bytes] = {}

    def run(self, name: str, keys: Sequence[Any], arguments: Sequence[Any]) -> Any:
        """The script's answer. Raises redis-py's errors."""
        if not self._loaded:
            self._loaded = scripts_load(self.client.execute_command)
        try:
            return self._evalsha(name, keys, arguments)
        except ReadOnlyError:  # it was the primary; who connects anew may come to the server that is
            self.client.connection_pool.disconnect(inuse_connections=False)
            raise
        except NoScriptError:  # the server was restarted, or its scripts were flushed
            self._loaded = scripts_load(self.client.execute_command)
            return self._evalsha(name, keys, arguments)

    def _evalsha(self, name: str, keys: Sequence[Any], arguments: Sequence[Any]) -> Any:
        execute: Any = self.client.execute_command
        return execute("EVALSHA", self._loaded[name], len(keys), *keys, *arguments)


def _ascii(sha: Any) -> bytes:
    return sha if isinstance(sha, bytes) else str(sha).encode()
