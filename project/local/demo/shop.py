"""A customer of the running project: logs in and uses the HTTP API, as anybody would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx


class ShopRefused(RuntimeError):
    """The project answered a request of the demo's with an error."""

    def __init__(self, what: str, status: int, answer: str) -> None:
        super().__init__(what, status, answer)
        self.what, self.status, self.answer = what, status, answer

    def __str__(self) -> str:
        return f"{self.what} was answered with {self.status}: {self.answer[:500]}"


class Shop:
    """A logged-in session. Answers are the API's JSON; ShopRefused for any error."""

    def __init__(self, base_url: str, *, username: str, password: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=30, trust_env=False)
        page = self._http.get("/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        if token is None:
            raise ShopRefused("the login page", page.status_code, page.text)
        form = {"username": username, "password": password, "csrfmiddlewaretoken": token[1]}
        answer = self._http.post("/login/", data=form, headers={"Referer": base_url})
        if answer.status_code != httpx.codes.FOUND:
            raise ShopRefused("logging in", answer.status_code, answer.text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def products(self) -> list[dict[str, Any]]:
        """The catalogue."""
        return list(self._call("GET", "/api/orders/products"))

    def place_order(self, quantities: dict[str, int], *, payment_method: str) -> dict[str, Any]:
        """Place an order; answers with it."""
        key = {"Idempotency-Key": f'"{uuid4()}"'}
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
        order = {"lines": lines, "email": "demo@example.com", "payment_method": payment_method}
        return dict(self._call("POST", "/api/orders", json=order, headers=key))

    def order(self, order_id: int) -> dict[str, Any]:
        """An order with its steps."""
        return dict(self._call("GET", f"/api/orders/{order_id}"))

    def upload_photo(self, photo: Path) -> dict[str, Any]:
        """Upload a photo; answers with the image."""
        with photo.open("rb") as file:
            return dict(self._call("POST", "/api/images", files={"file": (photo.name, file)}))

    def image(self, image_id: int | str) -> dict[str, Any]:
        """An image with its renditions."""
        return dict(self._call("GET", f"/api/images/{image_id}"))

    def queues(self) -> dict[str, dict[str, int]]:
        """Depth and number of consumers of each queue."""
        return dict(self._call("GET", "/health/workers")["queues"])

    def _call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **request: Any) -> Any:
        csrf = {"X-CSRFToken": self._http.cookies.get("csrftoken") or ""}
        answer = self._http.request(method, path, headers={**csrf, **(headers or {})}, **request)
        if answer.is_error:
            raise ShopRefused(f"{method} {path}", answer.status_code, answer.text)
        return answer.json()
