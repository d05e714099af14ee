"""The caller's side of /sandbox: ask a running sandbox for its books, and tell it to go wrong."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

TIMEOUT_SECONDS = 10.0


class SandboxClient:
    """Speaks to the sandbox at *url*. Every method raises OSError when it doesn't answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = build_opener(ProxyHandler({}))  # it is on this machine, whatever proxy the surroundings name

    def is_up(self) -> bool:
        """Whether the sandbox answers."""
        try:
            self._call("GET", "/sandbox/health")
        except OSError:
            return False
        return True

    def books(self) -> dict[str, Any]:
        """`charges` one by one, and `totals` a currency: `paid` is a count, `charged` and `refunded` are cents."""
        return self._call("GET", "/sandbox/books")

    def fault_arm(
        self,
        fault: str,
        *,
        when: str = "before",
        idempotency_key: str | None = None,
        times: int = 1,
        **figures: float,
    ) -> None:
        """Let a fault happen to the next requests with that key; `faults` tells which there are.

        figures: `status` for the fault status, `seconds` for the fault hang.
        """
        self._call(
            "POST",
            "/sandbox/faults",
            {"fault": fault, "when": when, "idempotency_key": idempotency_key, "times": times, **figures},
        )

    def faults(self) -> list[dict[str, Any]]:
        """What is still to happen."""
        return list(self._call("GET", "/sandbox/faults")["faults"])

    def faults_clear(self) -> None:
        """Forget the faults that haven't happened."""
        self._call("DELETE", "/sandbox/faults")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        content = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, content, {"Content-Type": "application/json"}, method=method)  # noqa: S310
        with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return dict(json.load(answer))
