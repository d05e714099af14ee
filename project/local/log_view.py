"""Shows what the processes write, as it comes, each line under its process's name and colour."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import IO

from honcho.colour import get_colours
from honcho.printer import Message, Printer

from project.local.child import Child


class LogView:
    """Follows the logs of *children* from where they end now. `show` never waits."""

    def __init__(self, children: Iterable[Child], output: IO[str]) -> None:
        followed = list(children)
        self._printer = Printer(output, width=max(len(child.name) for child in followed))
        self._followed = [_Followed(child, colour) for child, colour in zip(followed, get_colours(), strict=False)]

    def show(self) -> None:
        """Print the whole lines that have been written since the last time."""
        for followed in self._followed:
            for line in followed.new_lines():
                now = datetime.now().astimezone()
                self._printer.write(Message("line", line, now, followed.name, followed.colour))


class _Followed:
    def __init__(self, child: Child, colour: str) -> None:
        self.name, self.colour, self._log = child.name, colour, child.log
        self._position = self._log.stat().st_size if self._log.exists() else 0

    def new_lines(self) -> list[str]:
        if not self._log.exists() or self._log.stat().st_size <= self._position:
            return []
        with self._log.open("rb") as file:
            file.seek(self._position)
            whole = file.read().rpartition(b"\n")[0]
        if not whole:
            return []
        self._position += len(whole) + 1
        return whole.decode(errors="replace").splitlines()
