"""Circuits in the admin: which tasks' jobs are held back since too many failed, and a way to let them through."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from ..failure.circuit import circuit_close
from ..failure.circuit_models import Circuit
from .read_only import ReadOnlyAdmin


@admin.register(Circuit)
class CircuitAdmin(ReadOnlyAdmin):
    """To look at; whoever may change a circuit may close it. A task that never failed has none yet."""

    list_display = ["name", "state", "share_failed", "opened_at", "until_at", "pauses"]
    list_filter = ["state"]
    search_fields = ["name"]
    ordering = ["-opened_at", "name"]
    actions = ["close"]

    @admin.display(description="failed")
    def share_failed(self, circuit: Circuit) -> str:
        """Of the attempts that were last told of, how many failed."""
        failed = circuit.failed + circuit.earlier_failed
        return f"{failed} of {failed + circuit.succeeded + circuit.earlier_succeeded}"

    def has_close_permission(self, request: HttpRequest) -> bool:
        """Asked by the admin for the action's sake."""
        return request.user.has_perm("tasks.change_circuit")

    @admin.action(description="Close selected circuits; their jobs are run again", permissions=["close"])
    def close(self, request: HttpRequest, circuits: QuerySet[Circuit]) -> None:
        """Let everything through. Jobs that were put off come when they are due, which is soon."""
        closed = [circuit for circuit in circuits if circuit_close(circuit.name)]
        for circuit in closed:
            self.log_change(request, circuit, "Closed by hand")
        self.message_user(request, f"Closed {len(closed)}.", messages.SUCCESS if closed else messages.WARNING)
