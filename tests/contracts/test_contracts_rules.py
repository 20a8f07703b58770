"""Each trap of Databricks system tables has a test that bears its number."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
RULES = range(1, 37)


def test_every_rule_has_a_test_of_its_number() -> None:
    named = {int(path.name[5:7]) for path in (TESTS / "tables").glob("*/rule_[0-9][0-9]_*.yml")}
    for path in TESTS.rglob("test_*.py"):
        named |= {int(number) for number in re.findall(r"def test_rule_(\d\d)_", path.read_text())}
    assert named == set(RULES)
