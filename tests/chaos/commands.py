"""Understanding what a client says to Redis: commands out of bytes, and which step of a job's way each is."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from project.env import PROJECT_ROOT

CLAIM: Final = "claim"
ACK: Final = "ack"
RENEW: Final = "renew"
PUBLISH: Final = "publish"

Command = list[bytes]


class CommandReader:
    """Bytes in, whole commands out. Clients send nothing but arrays of bulk strings."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> list[Command]:
        """The commands that are complete now."""
        self._rest += received
        commands = []
        while (found := self._one()) is not None:
            command, length = found
            commands.append(command)
            self._rest = self._rest[length:]
        return commands

    def _one(self) -> tuple[Command, int] | None:
        line = self._rest.find(b"\r\n")
        if line < 0:
            return None
        command: Command = []
        at = line + 2
        for _ in range(int(self._rest[1:line])):
            line = self._rest.find(b"\r\n", at)
            if line < 0:
                return None
            begin = line + 2
            end = begin + int(self._rest[at + 1 : line])
            if len(self._rest) < end + 2:
                return None
            command.append(self._rest[begin:end])
            at = end + 2
        return command, at


class Steps:
    """Names the step of each command. It learns which script is which when a client loads it."""

    def __init__(self, scripts: Path = PROJECT_ROOT / "tasks/delivery/scripts") -> None:
        self._texts = {file.stem: file.read_bytes() for file in scripts.glob("*.lua")}
        self._scripts: dict[bytes, str] = {}

    def of(self, command: Command) -> set[str]:
        """Some of CLAIM, ACK, RENEW and PUBLISH."""
        verb = command[0].upper()
        if verb == b"SCRIPT" and command[1].upper() == b"LOAD":
            self._learn(command[2])
        if verb == b"EVALSHA":
            return self._of_script(command)
        if verb == b"BRPOP":
            return {CLAIM}
        if verb == b"ZREM" and command[1] == b"unacked_index":
            return {ACK}
        if verb == b"LPUSH" and not command[1].startswith(b"_kombu"):
            return {PUBLISH}
        return set()

    def _learn(self, text: bytes) -> None:
        for name, known in self._texts.items():
            if text.endswith(known):
                self._scripts[hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()] = name

    def _of_script(self, command: Command) -> set[str]:
        name = self._scripts.get(command[1], "")
        if name == "claim":
            return {CLAIM, ACK} if _carries_acks(command) else {CLAIM}
        return {"settle": {ACK}, "renew": {RENEW}, "publish": {PUBLISH}}.get(name, set())


def _carries_acks(claim: Command) -> bool:
    """See the head of claim.lua: the acks are what comes after the quantum of the last queue."""
    arguments = claim[3 + int(claim[2]) :]
    return len(arguments) > 10 + int(arguments[8])
