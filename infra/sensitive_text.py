"""Text that must not stand in a file: what looks like a secret, and what reaches a person."""

from __future__ import annotations

import re
from typing import NamedTuple

# Domains that reach nobody (RFC 2606).
RESERVED_DOMAINS = ("invalid", "localhost", "test")


class Secret(NamedTuple):
    """A kind of secret: its text holds one of the hints, and then matches the pattern."""

    name: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]


# Hints are found many times faster than patterns, and nearly every text has none.
SECRETS = (
    Secret("a Databricks token", ("dapi",), re.compile(r"\bdapi[0-9a-f]{32}(-\d)?\b")),
    Secret("an OAuth secret of Databricks", ("dose",), re.compile(r"\bdose[0-9a-f]{32}\b")),
    Secret("an AWS access key", ("AKIA", "ASIA"), re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b")),
    Secret("a private key", ("-----BEGIN",), re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    Secret(
        "a Slack webhook",
        ("hooks.slack.com",),
        re.compile(r"\bhooks\.slack\.com/(services|workflows)/\w+"),
    ),
    Secret("a Slack token", ("xox",), re.compile(r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}")),
    Secret(
        "a GitHub token",
        ("gho_", "ghp_", "ghs_", "ghu_", "github_pat_"),
        re.compile(r"\b(gh[opsu]_|github_pat_)\w{20,}"),
    ),
    Secret("a JSON web token", ("eyJ",), re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
    Secret(
        "a password in an address",
        ("://",),
        re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"{}$]+:[^\s/:@'\"{}$]+@"),
    ),
)
_ADDRESS = re.compile(r"[\w.+-]+@(?P<domain>[\w-]+(\.[\w-]+)+)")


def secret_in(text: str) -> str | None:
    """What kind of secret the text holds; None for none. The secret itself is never returned."""
    for secret in SECRETS:
        if any(hint in text for hint in secret.hints) and secret.pattern.search(text):
            return secret.name
    return None


def is_address(text: str) -> bool:
    """Whether the whole text is an e-mail address that could reach somebody."""
    match = _ADDRESS.fullmatch(text.strip())
    return match is not None and match["domain"].rpartition(".")[2] not in RESERVED_DOMAINS
