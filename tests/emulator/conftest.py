"""Accounts that are simulated once for all tests that only read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulator.account_files import simulated


@pytest.fixture(scope="session")
def sixty_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty days, with about 20,000 usage rows."""
    return simulated(tmp_path_factory.mktemp("account") / "sixty", days=60, rows=20_000)


@pytest.fixture(scope="session")
def small_account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen days, with 2,000 usage rows."""
    return simulated(tmp_path_factory.mktemp("account") / "small", days=16, rows=2000, seed=11)
