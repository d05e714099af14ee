"""Running a program that refuses root although we are root, as in most containers.

It runs as `nobody`, with one of root's powers left: to pass the modes of directories. So nothing has to be made
readable for everybody above the checkout, and no system user is created. `access()`, by which PostgreSQL looks for its
own programs, would forget that power for a user who isn't root, unless told not to (`no_setuid_fixup`).
"""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Sequence
from pathlib import Path

USER = "nobody"


class RootNotPossible(RuntimeError):
    """We are root, and `setpriv` (util-linux), which could drop that, is not here."""

    def __str__(self) -> str:
        return "refuses to run as root, and there is no `setpriv` to run it as somebody else"


def as_ordinary_user(command: Sequence[str]) -> list[str]:
    """The command that runs *command* as somebody who isn't root. Raises RootNotPossible."""
    if os.geteuid() != 0:
        return list(command)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise RootNotPossible
    user = pwd.getpwnam(USER)
    return [
        *(setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"),
        *("--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--", *command),
    ]


def hand_over(path: Path) -> None:
    """Make *path* belong to the user that `as_ordinary_user` runs things as."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        os.chown(path, user.pw_uid, user.pw_gid)
