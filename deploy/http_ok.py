"""A container's health check: python deploy/http_ok.py PORT PATH [STATUS]. Exits with 0 for an answer of STATUS (200).

In the place of curl, which the image doesn't have. It asks past any proxy that the surroundings name.
"""
# ruff: noqa: INP001 -- a script of its own, no part of a package

from __future__ import annotations

import http.client
import sys

TIMEOUT_SECONDS = 4  # below the five that the check itself is given


def complaint(port: str, path: str, expected: str = "200") -> str | None:
    """What is wrong with the answer, None for the one that is expected."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"port {port} doesn't answer: {error!r}"
    return None if status == int(expected) else f"{path} on port {port} answers {status}, not {expected}"


if __name__ == "__main__":
    sys.exit(complaint(*sys.argv[1:]))
