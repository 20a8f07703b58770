"""Text that must not stand in a file: what looks like a secret, and what reaches a person."""

from __future__ import annotations

import re

# Domains that reach nobody (RFC 2606).
RESERVED_DOMAINS = ("invalid", "localhost", "test")

SECRETS = {
    "a Databricks token": r"\bdapi[0-9a-f]{32}(-\d)?\b",
    "an OAuth secret of Databricks": r"\bdose[0-9a-f]{32}\b",
    "an AWS access key": r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a Slack webhook": r"\bhooks\.slack\.com/(services|workflows)/\w+",
    "a Slack token": r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}",
    "a GitHub token": r"\b(gh[opsu]_|github_pat_)\w{20,}",
    "a JSON web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "a password in an address": r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"{}$]+:[^\s/:@'\"{}$]+@",
}
_SECRETS = {name: re.compile(pattern) for name, pattern in SECRETS.items()}
_ADDRESS = re.compile(r"[\w.+-]+@(?P<domain>[\w-]+(\.[\w-]+)+)")


def secret_in(text: str) -> str | None:
    """What kind of secret the text holds; None for none. The secret itself is never returned."""
    return next((name for name, pattern in _SECRETS.items() if pattern.search(text)), None)


def is_address(text: str) -> bool:
    """Whether the whole text is an e-mail address that could reach somebody."""
    match = _ADDRESS.fullmatch(text.strip())
    return match is not None and match["domain"].rpartition(".")[2] not in RESERVED_DOMAINS
