"""The page's form: a file or a URL."""

from __future__ import annotations

from typing import Any

from django import forms


class ImageForm(forms.Form):
    """Either a file or a URL. What is in them is found out by the pipeline."""

    file = forms.FileField(
        label="A photograph from this device",
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": "image/*"}),
    )
    url = forms.CharField(
        label="or the address of one on the web",
        required=False,
        max_length=2000,
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and bool(cleaned.get("file")) == bool(cleaned.get("url")):
            raise forms.ValidationError("Choose a file or give an address: one of the two.")
        return cleaned
