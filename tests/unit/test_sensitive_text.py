"""What looks like a secret or an address, and what only nearly does."""

from __future__ import annotations

import pytest

from infra.sensitive_text import SECRETS, is_address, secret_in

HEX = "0123456789abcdef" * 2
# Built from parts, so that no scanner of repositories takes them for real ones.
EXAMPLES = {
    "a Databricks token": ["dapi" + HEX, f"token=dapi{HEX}-2"],
    "an OAuth secret of Databricks": ["dose" + HEX],
    "an AWS access key": ["AKIA" + "Z7" * 8, "key: ASIA" + "Z7" * 8],
    "a private key": ["-----BEGIN RSA " + "PRIVATE KEY-----", "-----BEGIN " + "PRIVATE KEY-----"],
    "a Slack webhook": ["https://hooks.slack.com/services/" + "T0/B0/x"],
    "a Slack token": ["xoxb-" + "0123456789-a"],
    "a GitHub token": ["ghp_" + HEX, "github_pat_" + HEX],
    "a JSON web token": [".".join(["eyJ" + HEX, "eyJ" + HEX, HEX])],
    "a password in an address": ["https://user:" + "hunter2@host/path"],
}


def test_every_kind_of_secret_has_an_example() -> None:
    assert [secret.name for secret in SECRETS] == list(EXAMPLES)


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, ts in EXAMPLES.items() for t in ts])
def test_a_secret_is_found_in_any_text(kind: str, text: str) -> None:
    assert secret_in(text) == kind
    assert secret_in(f"first line\n  key = '{text}'  # and more") == kind


@pytest.mark.parametrize(
    "text",
    [
        "dapi" + HEX[:20],
        "the dapi of the group",
        "https://hooks.slack.com/",
        "https://hooks.slack.health-monitor.invalid/services/none",
        "https://${var.user}:${var.password}@host",
        "https://host:8080/path?mail=a@b",
        "jdbc:databricks://host:443;httpPath=/sql",
        "-----BEGIN CERTIFICATE-----",
        "s3://bucket/key",
        "eyJ and eyJ",
    ],
)
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert secret_in(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jane.doe@example.com", True),
        (" jane+x@mail.example.co.uk ", True),
        ("ops@health-monitor.invalid", False),
        ("root@localhost", False),
        ("write to jane.doe@example.com", False),
        ("${var.email_addresses}", False),
        ("health_monitor_admins", False),
    ],
)
def test_an_address_is_the_whole_text(text: str, expected: bool) -> None:
    assert is_address(text) is expected
