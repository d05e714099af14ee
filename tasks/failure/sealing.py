"""The sealed original: what a message said before its secrets were blacked out, encrypted for the redrive.

The key comes from SECRET_KEY; SECRET_KEY_FALLBACKS open what was sealed with an earlier one, so that a key is rotated
as Django rotates it. Whoever has the database alone reads nothing.
"""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_SALT: Final = "tasks.dead_letters"


class SealBroken(ValueError):
    """A sealed original can't be opened: none of the keys is the one that it was sealed with."""

    def __str__(self) -> str:
        return (
            "the letter's original can't be opened with SECRET_KEY nor with SECRET_KEY_FALLBACKS: put the key that was "
            "in force when the job died among the fallbacks, or redrive with the arguments given anew"
        )


def seal(original: dict[str, Any]) -> bytes:
    """*original*, JSON, encrypted. Raises ImproperlyConfigured when the package `cryptography` is missing."""
    return _keys(_secrets()).encrypt(json.dumps(original).encode())


def unseal(sealed: bytes | memoryview) -> dict[str, Any]:
    """What was sealed. Raises SealBroken, or ImproperlyConfigured when the package `cryptography` is missing."""
    keys = _keys(_secrets())
    from cryptography.fernet import InvalidToken

    try:
        opened: dict[str, Any] = json.loads(keys.decrypt(bytes(sealed)))
    except InvalidToken:
        raise SealBroken from None
    return opened


def _secrets() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *(str(key) for key in settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=4)
def _keys(secrets: tuple[str, ...]) -> MultiFernet:
    try:
        from cryptography.fernet import Fernet, MultiFernet
    except ImportError:
        raise ImproperlyConfigured("sealing a dead letter's secrets needs the package `cryptography`") from None
    derived = [salted_hmac(_SALT, "", secret=secret, algorithm="sha256").digest() for secret in secrets]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])
