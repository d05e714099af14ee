"""No secret is written into a file of the project."""

from __future__ import annotations

import re

import pytest

from tests.architecture.sources import ROOT, files

SECRETS = {
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{20}"),
    "an AWS access key": re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a live Stripe key": re.compile(rb"\b[sr]k_live_[0-9A-Za-z]{16,}"),
    "a Stripe test key of an account": re.compile(rb"\b[sr]k_test_[0-9A-Za-z]{20,}"),
    "a GitHub token": re.compile(rb"\bgh[pousr]_[0-9A-Za-z]{30,}|\bgithub_pat_\w{30,}"),
    "a GitLab token": re.compile(rb"\bglpat-[\w-]{20,}"),
    "a Slack token": re.compile(rb"\bxox[abprs]-[0-9A-Za-z-]{10,}"),
    "a Google key": re.compile(rb"\bAIza[0-9A-Za-z_-]{35}\b"),
    "a package index token": re.compile(rb"\bpypi-[0-9A-Za-z_-]{40,}"),
    "a JSON web token": re.compile(rb"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\."),
    "a password in a URL": re.compile(
        rb"\b[a-z][a-z0-9+.-]*://[\w.-]+:(?P<password>[^\s@/:'\"{}$<>]{6,})@(?!127\.|localhost)"
    ),
    "a value beside the name of a secret": re.compile(
        rb"(?i)\b[\w-]*(?:password|passwd|secret|api_?key|token)[\w-]*[\"']?\s*[:=]\s*[\"']?"
        rb"(?!/)(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[A-Za-z0-9+/=_-]{24,}"
    ),
}
NEWLINE = b"\n"
BINARY = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".icc", ".tif", ".tiff", ".woff2", ".pdf"}


def lines_with_secrets(content: bytes) -> list[str]:
    """What was found in *content*, and where, without repeating it."""
    return [
        f"line {content.count(NEWLINE, 0, found.start()) + 1}: {kind}"
        for kind, pattern in SECRETS.items()
        for found in pattern.finditer(content)
    ]


def test_no_file_holds_what_looks_like_a_secret() -> None:
    """What was committed once is public for ever: secrets come from the environment."""
    found = {
        path.relative_to(ROOT).as_posix(): lines
        for path in files()
        if path.suffix.lower() not in BINARY and (lines := lines_with_secrets(path.read_bytes()))
    }

    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        b"-----BEGIN RSA PRIVATE " + b"KEY-----\nMIIEowIBAAKCAQEAx4UbaDzY5xjW6hc9jwN0",
        b"AKIA" + b"IOSFODNN7EXAMPLE",
        b"sk_live_" + b"4eC39HqLyjWDarjtT1zdp7dc",
        b"ghp_" + b"16C7e42F292c6912E7710c838347Ae178B4a",
        b"DATABASE_URL=postgres://shop:" + b"hunter22@db/shop",
        b"SECRET_KEY = 'x1" + b"y2z3a4b5c6d7e8f9g0h1i2j3k4l5'",
    ],
)
def test_a_secret_would_be_found(line: bytes) -> None:
    """Guards the test above. The lines are put together here so that this file holds none."""
    assert lines_with_secrets(b"first line\n" + line) != []
