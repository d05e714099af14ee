"""The page's form for asking for a report."""

from __future__ import annotations

from django import forms


class ReportForm(forms.Form):
    """The day, in the project's time zone."""

    day = forms.DateField(label="Day", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
