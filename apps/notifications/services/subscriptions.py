"""Who gets the newsletter, and the link in each copy that ends it without a login."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils import timezone

from ..errors import TokenInvalid
from ..models import Subscription

SALT: Final = "notifications.unsubscribe"


def subscription_start(*, user_id: int) -> None:
    """The user wants the newsletter from now on."""
    begin = {"started_at": timezone.now(), "ended_at": None}
    if not Subscription.objects.filter(user_id=user_id, ended_at=None).exists():
        Subscription.objects.update_or_create(user_id=user_id, defaults=begin)


def subscription_end(*, user_id: int) -> None:
    """The user wants it no longer. Ending twice is ending once."""
    Subscription.objects.filter(user_id=user_id, ended_at=None).update(ended_at=timezone.now())


def unsubscribe_url(*, user_id: int) -> str:
    """A link, whole with its host, that ends the user's subscription. It stays good for as long as SECRET_KEY does."""
    token = Signer(salt=SALT).sign(str(user_id))
    return settings.SITE_URL.rstrip("/") + reverse("notifications:unsubscribe", args=[token])


def unsubscribe_token_read(*, token: str) -> int:
    """The id of the user whom *token* is for. Raises TokenInvalid."""
    try:
        return int(Signer(salt=SALT).unsign(token))
    except (BadSignature, ValueError) as error:
        raise TokenInvalid from error
