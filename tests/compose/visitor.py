"""Somebody who uses the stack's web pages and API as a browser would."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx

from project.local.ports import HOST
from project.local.waiting import wait_until
from tests.compose.local import LocalStack

DONE_WITHIN = timedelta(seconds=90)


class Visitor(httpx.Client):
    """Logged in as the user whom the stack's first set-up made."""

    def __init__(self, stack: LocalStack) -> None:
        super().__init__(base_url=f"http://{HOST}:{stack.port('web', 8000)}", timeout=20, trust_env=False)
        password = (stack.secrets / "staff_password").read_text()
        page = self.get("/login/").raise_for_status().text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page
        form = {"username": "staff", "password": password, "csrfmiddlewaretoken": token[1]}
        answer = self.post("/login/", data=form)
        assert answer.status_code == 302, f"the login was refused: {answer.status_code}\n{answer.text}"

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As a page's script does, name the token that the cookie holds."""
        if token := self.cookies.get("csrftoken"):
            request.headers["X-CSRFToken"] = token
        return super().send(request, **options)

    def until(self, path: str, state: str) -> dict[str, Any]:
        """Ask for *path* until its `state` is that one, and return the answer."""
        seen: dict[str, Any] = {}

        def there() -> bool:
            seen.update(self.get(path).raise_for_status().json())
            return bool(seen["state"] == state)

        assert wait_until(there, within=DONE_WITHIN, pause=timedelta(milliseconds=200)), f"{path}: {seen}"
        return seen
