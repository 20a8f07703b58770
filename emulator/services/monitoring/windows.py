"""Calendar-aligned windows of time, in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_SECONDS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_FIXED_MONDAY = 4 * 86400  # 1970-01-05, in seconds since the epoch
_ENUM_PREFIX = "AGGREGATION_GRANULARITY_"
_PATTERN = re.compile(r"^(\d+)[ _](minute|hour|day|week|month|year)s?$", re.IGNORECASE)
_ALLOWED = {
    "minute": {5, 30},
    "hour": {1},
    "day": {1},
    "week": {1, 2, 3, 4},
    "month": {1},
    "year": {1},
}


@dataclass(frozen=True)
class Granularity:
    """A window length; ``text`` is how the output tables show it."""

    text: str
    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Granularity:
        found = _PATTERN.match(text.removeprefix(_ENUM_PREFIX))
        if not found:
            raise ValueError(f"unknown granularity {text!r}")
        count, unit = int(found.group(1)), found.group(2).lower()
        if count not in _ALLOWED[unit]:
            raise ValueError(f"unknown granularity {text!r}")
        return cls(f"{count} {unit}{'s' if count > 1 else ''}", count, unit)

    def start_sql(self, timestamp: str) -> str:
        """SQL for the start of the window that a timestamp lies in."""
        if self.unit in ("month", "year"):
            return f"date_trunc('{self.unit}', {timestamp})"
        length, origin = self._length, self._origin
        return (
            f"timestamp_seconds(floor((unix_seconds({timestamp}) - {origin}) / {length})"
            f" * {length} + {origin})"
        )

    def start(self, moment: datetime) -> datetime:
        """The start of the window that a moment lies in."""
        if self.unit == "month":
            return datetime(moment.year, moment.month, 1, tzinfo=UTC)
        if self.unit == "year":
            return datetime(moment.year, 1, 1, tzinfo=UTC)
        seconds = int(moment.timestamp()) - self._origin
        return datetime.fromtimestamp(seconds // self._length * self._length + self._origin, tz=UTC)

    def following(self, start: datetime) -> datetime:
        """The start of the next window, which is the end of this one."""
        if self.unit == "month":
            return self.start(start + timedelta(days=32))
        if self.unit == "year":
            return self.start(start + timedelta(days=367))
        return start + timedelta(seconds=self._length)

    def preceding(self, start: datetime) -> datetime:
        return self.start(start - timedelta(microseconds=1))

    @property
    def _length(self) -> int:
        return _SECONDS[self.unit] * self.count

    @property
    def _origin(self) -> int:
        return _FIXED_MONDAY if self.unit == "week" else 0


def moment_sql(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00:00'"


@dataclass(frozen=True)
class Span:
    """The windows of one granularity that a refresh computes: from the first one on.

    ``stale``, where known, says which of them; the others are on record as they are.
    """

    granularity: Granularity
    first: datetime
    stale: frozenset[datetime] | None = None

    @property
    def compared_from(self) -> datetime:
        """One window earlier, which the first one is compared to."""
        return self.granularity.preceding(self.first)

    def is_profiled(self, start: datetime) -> bool:
        return start >= self.first and (self.stale is None or start in self.stale)

    def is_compared(self, start: datetime) -> bool:
        """Whether a window or the one that it is compared to is profiled anew."""
        before = self.granularity.preceding(start)
        is_new = self.stale is None or start in self.stale or before in self.stale
        return start >= self.first and is_new

    @property
    def read(self) -> list[datetime] | None:
        """The windows whose rows are needed; None for all from ``compared_from`` on."""
        if self.stale is None:
            return None
        steps = (self.granularity.preceding, self.granularity.following)
        return sorted(self.stale.union(*({step(s) for s in self.stale} for step in steps)))
