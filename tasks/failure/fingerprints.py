"""Which deaths have the same cause: the same type of error, from the same frame, with the same words. Pure.

Numbers, ids and quoted values differ from job to job and are left out of the words. Line numbers are left out, too, so
that a fingerprint outlives a release that moves the line.
"""

from __future__ import annotations

import hashlib
import re
import sysconfig
from types import TracebackType
from typing import Final

WORDS_MAX: Final = 300

_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_UUID: Final = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_HEX: Final = re.compile(r"\b(?:0x[0-9a-fA-F]+|(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,})\b")
_NUMBER: Final = re.compile(r"[-+]?\d+(?:[.,:]\d+)*")
_SPACE: Final = re.compile(r"\s+")

_LIBRARIES: Final = tuple({path for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")) if path})


def fingerprint(error_type: str, frame: str, message: str) -> str:
    """32 hexadecimal digits. frame: `module:function`, or the task's name where no frame raised."""
    text = "\x00".join((error_type, frame, normalised(message)))
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def normalised(message: str) -> str:
    """The words of *message* that don't differ from job to job."""
    words = message.strip()[: WORDS_MAX * 4]
    for pattern, stand_in in ((_QUOTED, "'…'"), (_UUID, "#"), (_HEX, "#"), (_NUMBER, "#"), (_SPACE, " ")):
        words = pattern.sub(stand_in, words)
    return words[:WORDS_MAX]


def culprit(trace: TracebackType | None) -> str:
    """The frame to blame, `module:function`: the innermost that belongs to no library; "" without a traceback."""
    found = innermost = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        innermost = f"{trace.tb_frame.f_globals.get('__name__', '')}:{code.co_qualname}"
        if not code.co_filename.startswith(_LIBRARIES):
            found = innermost
        trace = trace.tb_next
    return found or innermost
