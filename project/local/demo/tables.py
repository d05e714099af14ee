"""What the demo found, for a person to read."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from rich.console import Console
from rich.table import Table

from project.local.demo.evidence import Evidence


def show(console: Console, evidence: Evidence) -> None:
    """Print the orders, the photos and the books."""
    console.print(_orders(evidence))
    if evidence.photos:
        console.print(_photos(evidence))
    console.print(_books(evidence))


def _orders(evidence: Evidence) -> Table:
    table = Table(title="Orders", title_justify="left")
    for name in ("order", "total €"):
        table.add_column(name, justify="right")
    table.add_column("steps (✗ failed)")
    table.add_column("end state")
    for order in evidence.orders:
        steps = " → ".join(f"[red]{step[:-1]}✗[/]" if step.endswith("!") else step for step in order.steps)
        state = order.found["state"]
        reason = f" ({order.found['cancel_reason']})" if order.found["cancel_reason"] else ""
        colour = "green" if state == "fulfilled" else "yellow"
        table.add_row(
            str(order.found["id"]), f"{order.found['total_cents'] / 100:.2f}", steps, f"[{colour}]{state}[/]{reason}"
        )
    return table


def _photos(evidence: Evidence) -> Table:
    table = Table(title="Photos", title_justify="left")
    table.add_column("photo")
    for name in ("original", "thumb", "medium", "large", "formats", "ms"):
        table.add_column(name, justify="right")
    for photo in evidence.photos:
        renditions = photo.found["renditions"]
        table.add_row(
            photo.name,
            _size(photo.found),
            *(_rendition(renditions, name) for name in ("thumb", "medium", "large")),
            " ".join(sorted({rendition["format"] for rendition in renditions})),
            str(sum(rendition["took_ms"] for rendition in renditions)),
        )
    return table


def _size(found: dict[str, Any]) -> str:
    return f"{found['width']}×{found['height']}, {found['bytes'] / 1024:.0f} kB"


def _rendition(renditions: list[dict[str, Any]], name: str) -> str:
    by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
    for rendition in renditions:
        if rendition["name"] == name:
            by_size[rendition["width"], rendition["height"]].append(rendition["bytes"])
    return " ".join(
        f"{width}×{height}, {'/'.join(f'{size / 1024:.0f}' for size in sorted(sizes))} kB"
        for (width, height), sizes in by_size.items()
    )


def _books(evidence: Evidence) -> Table:
    table = Table(title="Counted where it happened", title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("figure", justify="right")
    table.add_row("orders paid", f"{len(evidence.fulfilled)}, {evidence.paid_cents / 100:.2f} €")
    table.add_row("charges in the provider's books", f"{len(evidence.charges)}, {evidence.charged_cents / 100:.2f} €")
    table.add_row("confirmations in the SMTP sink", str(len(evidence.confirmations)))
    depths = ", ".join(f"{queue} {depth}" for queue, depth in evidence.queue_depths.items())
    table.add_row("waiting in the queues", depths)
    return table
