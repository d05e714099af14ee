"""The page's form for one more reminder."""

from __future__ import annotations

from django import forms


class ReminderForm(forms.Form):
    """What to be reminded of, and when, in the project's time zone."""

    text = forms.CharField(label="Remind me of", max_length=500)
    due_at = forms.DateTimeField(label="At", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
