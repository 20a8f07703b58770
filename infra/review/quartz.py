"""How often a Quartz expression fires: runs a month, counted over whole years."""

from __future__ import annotations

import calendar
import datetime
import functools
import re

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
MONTHS = {name: number for number, name in enumerate(_MONTHS, 1)}
DAYS = {name: number for number, name in enumerate(_DAYS, 1)}
RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (1, 7))
# Four years: whole weeks are not needed, a leap day is.
YEARS = range(2025, 2029)
MONTHS_COUNTED = 12 * len(YEARS)
_NTH = re.compile(r"(\d|[A-Z]{3})#([1-5])")
_LAST = re.compile(r"(\d|[A-Z]{3})L")


class CronError(ValueError):
    """The expression cannot be read."""


@functools.lru_cache(maxsize=1024)
def runs_per_month(expression: str) -> float:
    """The average number of firings a month."""
    fields = expression.upper().split()
    if len(fields) not in (6, 7):
        raise CronError(f"'{expression}' has {len(fields)} fields; Quartz has 6 or 7")
    per_day = 1
    for text, (low, high) in zip(fields[:3], RANGES, strict=False):
        per_day *= len(_values(text, low, high, {}))
    months = _values(fields[4], *RANGES[4], MONTHS)
    # The year field says when a schedule ends, not how often it runs until then.
    days = sum(
        _days(fields[3], fields[5], year, month) for year in YEARS for month in sorted(months)
    )
    return per_day * days / MONTHS_COUNTED


def _days(of_month: str, of_week: str, year: int, month: int) -> int:
    length = calendar.monthrange(year, month)[1]
    if of_week not in ("?", "*"):
        return sum(_falls_on(of_week, year, month, day, length) for day in range(1, length + 1))
    if of_month in ("?", "*"):
        return length
    if "L" in of_month or "W" in of_month:
        return 1
    return sum(1 for day in _values(of_month, *RANGES[3], {}) if day <= length)


def _falls_on(field: str, year: int, month: int, day: int, length: int) -> bool:
    # Quartz counts the days of a week from Sunday, which is 1.
    weekday = datetime.date(year, month, day).isoweekday() % 7 + 1
    if nth := _NTH.fullmatch(field):
        return weekday == _number(nth[1], DAYS) and (day - 1) // 7 + 1 == int(nth[2])
    if last := _LAST.fullmatch(field):
        return weekday == _number(last[1], DAYS) and day > length - 7
    return weekday in _values(field, *RANGES[5], DAYS)


def _values(field: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            start, end = low, high
        else:
            start = _number(first, names)
            end = _number(last, names) if dash else (high if step else start)
        if not low <= start <= high or not low <= end <= high or (step and not step.isdigit()):
            raise CronError(f"'{part}' is not between {low} and {high}")
        # FRI-MON goes over the end of the week.
        wraps = end < start
        values = [*range(start, high + 1), *range(low, end + 1)] if wraps else range(start, end + 1)
        found |= {*values[:: int(step or 1) or 1]}
    return found


def _number(text: str, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not text.isdigit():
        raise CronError(f"'{text}' is not a number")
    return int(text)
