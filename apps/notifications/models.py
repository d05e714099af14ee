"""What is sent to whom, and whether it has gone out.

Every mail has a row before it has a message. The task that sends it locks the row, looks whether the mail has gone
out, sends, and marks the row, all in one transaction: any number of deliveries of the message send one mail. Only a
crash between the mail server's answer and the commit sends it again, under the same Message-ID.

    waiting ──sent──▶ sent_at is set
       └─refused for good──▶ refusal says why; nothing sends it any more, unless its dead letter is redriven

Whatever may work later (a mail server that is away) leaves the row waiting.
"""

from __future__ import annotations

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

REFUSAL_MAX_LENGTH = 300


class Mail(models.Model):
    """The part that every kind of mail has: whether it has gone out, or why it never will."""

    sent_at = models.DateTimeField(null=True, blank=True)
    refusal = models.CharField(max_length=REFUSAL_MAX_LENGTH, blank=True)

    class Meta:
        abstract = True

    @property
    def is_waiting(self) -> bool:
        """Whether it may still be sent."""
        return self.sent_at is None and not self.refusal


WAITING = Q(sent_at=None, refusal="")


class Welcome(Mail):
    """The one welcome mail of an account."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="welcome")
    requested_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"welcome of {self.user}"


class Reminder(Mail):
    """A text that a user wants to be sent at a moment to come. `published_at`: when its message went to the broker."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reminders")
    text = models.CharField(max_length=500)
    due_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["due_at", "pk"]
        indexes = [
            models.Index(fields=["user", "due_at"], name="reminder_of_user"),
            models.Index(fields=["due_at"], name="reminder_waiting", condition=WAITING),
        ]

    def __str__(self) -> str:
        return self.text


class Subscription(models.Model):
    """A user's word on the newsletter: who has no row, or has `ended_at`, gets none."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="subscription")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"subscription of {self.user}"


class Newsletter(models.Model):
    """A newsletter. Who is subscribed when it is released first, at `released_at`, gets a copy."""

    subject = models.CharField(
        max_length=150, validators=[RegexValidator(r"[\r\n]", "A subject is one line.", inverse_match=True)]
    )
    body = models.TextField()
    written_at = models.DateTimeField(auto_now_add=True)
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.subject


class NewsletterCopy(Mail):
    """One subscriber's copy of one newsletter: one, however often the newsletter is sent."""

    newsletter = models.ForeignKey(Newsletter, on_delete=models.CASCADE, related_name="copies")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="newsletter_copies")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["newsletter", "user"], name="one_copy_a_subscriber")]
        indexes = [models.Index(fields=["newsletter", "id"], name="copy_waiting", condition=WAITING)]
        verbose_name_plural = "newsletter copies"

    def __str__(self) -> str:
        return f"{self.newsletter} for {self.user}"
