"""The image without a Docker engine: what the Dockerfile copies, and the variables it sets, in a directory."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

from project.env import PROJECT_ROOT

DOCKERFILE: Final = PROJECT_ROOT / "Dockerfile"
IGNORED: Final = PROJECT_ROOT / ".dockerignore"


@dataclass(frozen=True)
class Instruction:
    """One instruction of the Dockerfile, its continued lines joined."""

    keyword: str
    rest: str


@dataclass
class Stage:
    """From one FROM to the next."""

    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        """What follows each *keyword*."""
        return [instruction.rest for instruction in self.instructions if instruction.keyword == keyword]

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        return dict(word.split("=", 1) for rest in self.all("ENV") for word in shlex.split(rest))

    @property
    def directory(self) -> str:
        """Where it works."""
        return self.all("WORKDIR")[-1]


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile."""
    found: list[Stage] = []
    uncommented = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", uncommented).splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "FROM":
            found.append(Stage(base=rest))
        elif keyword:
            found[-1].instructions.append(Instruction(keyword, rest.strip()))
    return found


def reaches_builder(path: PurePosixPath, rules: list[str]) -> bool:
    """Whether .dockerignore lets *path* through: of the rules that fit it or a folder above it, the last decides.

    A folder is entered though it is left out itself when a later rule lets in something below it.
    """
    left_out = False
    candidates = [path, *path.parents[:-1]]
    for rule in rules:
        pattern = rule.removeprefix("!").strip("/")
        if any(_fits(candidate.as_posix(), pattern) for candidate in candidates):
            left_out = not rule.startswith("!")
    return not left_out


def ignore_rules() -> list[str]:
    """The rules of .dockerignore."""
    lines = (line.strip() for line in IGNORED.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def copied() -> dict[PurePosixPath, PurePosixPath]:
    """What the final stage copies from the project: source -> target, both files, relative to root and WORKDIR."""
    rules = ignore_rules()
    found: dict[PurePosixPath, PurePosixPath] = {}
    for rest in stages(DOCKERFILE.read_text())[-1].all("COPY"):
        if rest.startswith("--from="):
            continue
        *sources, target = shlex.split(rest)
        for source in sources:
            for path in _files(PROJECT_ROOT / source):
                relative = PurePosixPath(path.relative_to(PROJECT_ROOT).as_posix())
                if reaches_builder(relative, rules):
                    found[relative] = _landing(relative, source, target)
    return found


def lay_out(directory: Path) -> None:
    """Put every file that the image would hold into *directory*, as its working directory."""
    for source, target in copied().items():
        (directory / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT_ROOT / source, directory / target)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [inner for inner in path.rglob("*") if inner.is_file()]


def _landing(path: PurePosixPath, source: str, target: str) -> PurePosixPath:
    """A file lands in a target that ends in a slash; a folder's contents land in the target itself."""
    if target.endswith("/"):
        return PurePosixPath(target) / path.name
    return PurePosixPath(target) / path.relative_to(source)


def _fits(path: str, pattern: str) -> bool:
    """Docker's patterns: `*` stays inside a folder, a leading `**/` is any number of folders."""
    if pattern.startswith("**/"):
        return fnmatchcase(path.rpartition("/")[2], pattern.removeprefix("**/"))
    return path.count("/") == pattern.count("/") and fnmatchcase(path, pattern)
