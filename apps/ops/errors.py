"""Why the schedules can't be synced."""

from __future__ import annotations


class ScheduleRefused(ValueError):
    """`config/schedules.py` has entries that can't work. Nothing was changed."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "config/schedules.py is refused, nothing was changed:\n" + "\n".join(
            f"  {problem}" for problem in self.problems
        )


class NameTaken(ValueError):
    """A person has made an entry under a name that the file wants. Nothing was changed."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"beat has an entry {self.name!r} that was made by a person, and it is left alone; nothing was changed. "
            "Rename one of them: that one in the admin, or ours in config/schedules.py."
        )
