"""httpx's way to the network, but that an answer, its headers too, has come whole by a deadline."""

from __future__ import annotations

from collections.abc import Iterator

import httpcore
import httpx

from apps.timed_network import Deadline, TimedBackend


class TimedTransport(httpx.BaseTransport):
    """For requests without a body. Raises httpcore's errors, and the resolver's, as they come."""

    def __init__(self, deadline: Deadline) -> None:
        self._pool = httpcore.ConnectionPool(network_backend=TimedBackend(deadline=deadline))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it; returns when the headers have come."""
        url = request.url
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    def close(self) -> None:
        """Close its connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()
