"""How much a change puts at risk."""

from __future__ import annotations

from enum import IntEnum


class Risk(IntEnum):
    """In order: a reviewer compares them."""

    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        return self.name.lower()


CEILINGS = (Risk.LOW, Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL)
