"""What a call to the payment provider comes to when it doesn't come to a payment."""

from __future__ import annotations

from tasks.errors import Permanent, Transient


class PaymentUnavailable(Transient):
    """The provider didn't answer, or answered that it can't now. It may have acted all the same."""

    def __init__(self, call: str, reason: str, request_id: str | None = None) -> None:
        super().__init__(call, reason, request_id)
        self.call, self.reason, self.request_id = call, reason, request_id

    def __str__(self) -> str:
        return f"{self.call}: the payment provider gave no answer ({self.reason}){_request(self.request_id)}"


class ChargeUnsettled(Transient):
    """The provider knows of no attempt to charge an order, and one may still be under way."""

    def __init__(self, order_id: int) -> None:
        super().__init__(order_id)
        self.order_id = order_id

    def __str__(self) -> str:
        return f"order {self.order_id}: the payment provider has not heard of a charge; it may still be at it"


class CardDeclined(Permanent):
    """The bank doesn't pay. `decline_code` is the bank's reason, in the provider's words."""

    def __init__(self, code: str, decline_code: str, message: str, request_id: str | None = None) -> None:
        super().__init__(code, decline_code, message, request_id)
        self.code, self.decline_code, self.message, self.request_id = code, decline_code, message, request_id

    def __str__(self) -> str:
        return f"{self.message} ({self.decline_code or self.code})"


class PaymentRefused(Permanent):
    """The provider won't take the request as it is: its parameters, its idempotency key or the API key are wrong."""

    def __init__(self, call: str, status: int, kind: str, message: str, request_id: str | None = None) -> None:
        super().__init__(call, status, kind, message, request_id)
        self.call, self.status, self.kind = call, status, kind
        self.message, self.request_id = message, request_id

    def __str__(self) -> str:
        refusal = f"{self.call}: the payment provider refuses it ({self.status} {self.kind})"
        return f"{refusal}: {self.message}{_request(self.request_id)}"


class PaymentIncomplete(Permanent):
    """The provider made the payment or refund, but in a state that is not its good end."""

    def __init__(self, call: str, object_id: str, state: str) -> None:
        super().__init__(call, object_id, state)
        self.call, self.object_id, self.state = call, object_id, state

    def __str__(self) -> str:
        return f"{self.call}: {self.object_id} is {self.state} at the payment provider, look at it there"


def _request(request_id: str | None) -> str:
    return f", its request {request_id}" if request_id else ""
