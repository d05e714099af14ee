"""A TCP proxy in front of the broker that breaks connections at chosen moments. It listens on the loopback address.

It runs in a thread of its own; its methods may be called from any other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from threading import Thread
from typing import Any, Final, Self

import redis.asyncio

from project.local.ports import HOST
from tests.chaos.commands import CLAIM, CommandReader, Steps

SWALLOW: Final = "swallow"
KILL: Final = "kill"
# A claim's answer of fewer bytes holds no message.
LEAST_OF_A_MESSAGE = 64
CHUNK = 64 * 1024

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True, kw_only=True)
class Fault:
    """What is done to every *every*-th command of *step*, at most *times*. seen, done: how often so far.

    SWALLOW: the server carries the command out, its answer is thrown away, then the connection is cut.
    KILL: CLIENT KILL by the server itself while the command is under way.
    """

    step: str
    action: str
    every: int
    times: int
    seen: int = 0
    done: int = 0

    def due(self) -> bool:
        """Count one more command; whether it is this one's turn."""
        if self.done >= self.times:
            return False
        self.seen += 1
        if self.seen % self.every:
            return False
        self.done += 1
        return True


class Proxy:
    """A context manager; `port` is where clients connect."""

    def __init__(self, upstream_port: int) -> None:
        self.port = 0
        self.fault: Fault | None = None
        self._upstream_port = upstream_port
        self._steps = Steps()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._links: set[_Link] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._serve, HOST, 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def go_silent(self) -> int:
        """Forward nothing more on the connections that are open, and leave them open: packets are dropped, nobody is
        told. New connections work. Returns how many there are.
        """
        links = list(self._links)
        for link in links:
            link.silent = True
        return len(links)

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_connection(HOST, self._upstream_port)
        except OSError:
            writer.close()
            return
        link = _Link(self, (reader, writer), upstream)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)

    async def _close(self) -> None:
        self._server.close()
        for link in list(self._links):
            link.over.set()
            await link.closed.wait()

    async def client_kill(self, address: str) -> None:
        """Have the server close the connection that comes from *address*."""
        control: Any
        async with redis.asyncio.Redis(host=HOST, port=self._upstream_port) as control:
            with contextlib.suppress(redis.ResponseError):  # it has gone by itself
                await control.execute_command("CLIENT", "KILL", "ADDR", address)

    def steps_of(self, commands: list[list[bytes]]) -> set[str]:
        """The steps that these are."""
        return set().union(*map(self._steps.of, commands))

    def due(self, action: str, steps: set[str]) -> bool:
        """Whether *action* is to be done now to a connection on which these steps are under way."""
        fault = self.fault
        return bool(fault and fault.action == action and fault.step in steps and fault.due())


class _Link:
    """One client's connection and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy, client: Streams, server: Streams) -> None:
        self.silent = False
        self.over, self.closed = asyncio.Event(), asyncio.Event()
        self._proxy, self._client, self._server = proxy, client, server
        self._under_way: set[str] = set()

    async def run(self) -> None:
        """Forward until either side closes, or a fault cuts it."""
        parts = [asyncio.ensure_future(part) for part in (self._questions(), self._answers(), self.over.wait())]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            for _, writer in (self._client, self._server):
                writer.transport.abort()
            self.closed.set()

    async def _questions(self) -> None:
        reader, commands = self._client[0], CommandReader()
        with contextlib.suppress(OSError):
            while received := await reader.read(CHUNK):
                if self.silent:
                    continue
                steps = self._proxy.steps_of(commands.feed(received))
                self._under_way |= steps
                kill = self._proxy.due(KILL, steps)
                await self._forward(self._server, received)
                if kill:
                    host, port = self._server[1].get_extra_info("sockname")[:2]
                    await self._proxy.client_kill(f"{host}:{port}")
            await self._stay_if_silent()

    async def _answers(self) -> None:
        reader = self._server[0]
        with contextlib.suppress(OSError):
            while received := await reader.read(CHUNK):
                if self.silent:
                    continue
                steps = self._answered(received)
                if self._proxy.due(SWALLOW, steps):
                    return
                await self._forward(self._client, received)
            await self._stay_if_silent()

    def _answered(self, received: bytes) -> set[str]:
        """The steps that this answers. A claim's is the one that holds a message; until it comes the claim waits."""
        steps = set(self._under_way)
        if len(received) < LEAST_OF_A_MESSAGE:
            steps.discard(CLAIM)
        self._under_way -= steps
        return steps

    async def _forward(self, to: Streams, received: bytes) -> None:
        to[1].write(received)
        await to[1].drain()

    async def _stay_if_silent(self) -> None:
        """The other side must not hear of a close either."""
        if self.silent:
            await self.over.wait()
