"""The proxy of the chaos scenarios must break what it says that it breaks."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from redis.connection import Connection

from tests.chaos.commands import ACK, CLAIM, PUBLISH, RENEW, CommandReader, Steps
from tests.chaos.proxy import SWALLOW, Fault


def packed(*words: str | bytes | int) -> bytes:
    connection: Any = Connection
    return b"".join(connection().pack_command(*words))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_commands_are_read_however_the_bytes_are_cut(size: int) -> None:
    """TCP knows no borders between commands."""
    said = packed("LPUSH", "default", b"\r\n*3\r\n\x00\xff") + packed("PING") + packed("BRPOP", "default", 1)
    reader, commands = CommandReader(), []
    for at in range(0, len(said), size):
        commands += reader.feed(said[at : at + size])
    assert commands == [[b"LPUSH", b"default", b"\r\n*3\r\n\x00\xff"], [b"PING"], [b"BRPOP", b"default", b"1"]]


def test_stock_commands_are_known_by_their_keys() -> None:
    """What kombu's own transport says."""
    steps = Steps()
    assert steps.of([b"BRPOP", b"default", b"1"]) == {CLAIM}
    assert steps.of([b"ZREM", b"unacked_index", b"tag"]) == {ACK}
    assert steps.of([b"LPUSH", b"default", b"{}"]) == {PUBLISH}
    assert steps.of([b"PING"]) == set()


def test_scripts_are_known_once_they_were_loaded(tmp_path: Path) -> None:
    """Whatever the client puts in front of a script's text."""
    for name in ("claim", "renew", "settle", "publish"):
        (tmp_path / f"{name}.lua").write_text(f"return '{name}'")
    steps, shas = Steps(tmp_path), {}
    for name in ("claim", "renew", "settle", "publish"):
        text = f"#!lua\nlocal shared = 1\nreturn '{name}'".encode()
        shas[name] = hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
        assert steps.of([b"SCRIPT", b"LOAD", text]) == set()
    claim = [b"EVALSHA", shas["claim"], b"2", b"k", b"k", *[b"x"] * 8, b"1", b"0", b"1"]
    assert steps.of(claim) == {CLAIM}
    assert steps.of([*claim, b"17"]) == {CLAIM, ACK}
    assert steps.of([b"EVALSHA", shas["settle"], b"0"]) == {ACK}
    assert steps.of([b"EVALSHA", shas["renew"], b"0"]) == {RENEW}
    assert steps.of([b"EVALSHA", shas["publish"], b"0"]) == {PUBLISH}


def test_a_fault_happens_every_so_often_and_no_more_than_so_many_times() -> None:
    """Otherwise a worker would never get through."""
    fault = Fault(step=ACK, action=SWALLOW, every=3, times=2)
    assert [fault.due() for _ in range(12)] == [False, False, True, False, False, True, *[False] * 6]
    assert fault.done == 2
