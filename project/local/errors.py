"""What can go wrong with the services, each with what to do about it."""

from __future__ import annotations


class ServiceFailed(RuntimeError):
    """A service can't run, ended, or did not answer in time. Carries the end of its log and what to do."""

    def __init__(self, name: str, reason: str, log_tail: str, advice: str) -> None:
        super().__init__(name, reason, log_tail, advice)
        self.name, self.reason, self.log_tail, self.advice = name, reason, log_tail, advice

    def __str__(self) -> str:
        log = f"; it said last:\n{self.log_tail}\n" if self.log_tail else ". "
        return f"{self.name} {self.reason}{log}To do: {self.advice}"
