"""What differs, as lines that people read: a changed query as a diff of its lines."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from infra.review.differences import Difference, Kind
from infra.review.rule import shown

CONTEXT = 3
VALUE_LENGTH = 160
LINE_LENGTH = 300
MOST_LINES = 120


def diff_lines(differences: Sequence[Difference]) -> list[str]:
    """Lines for a ``diff`` block: what goes with -, what comes with +."""
    lines = [_short(line) for difference in differences for line in _lines(difference)]
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[:MOST_LINES], f"# {len(lines) - MOST_LINES} more lines are not shown"]


def _lines(difference: Difference) -> Iterator[str]:
    before, after, where = difference.before, difference.after, difference.where
    if difference.kind is Kind.REORDERED:
        yield f"# {where}: another order"
    elif isinstance(before, str) and isinstance(after, str) and "\n" in f"{before}{after}":
        yield f"# {where}"
        found = difflib.unified_diff(
            before.splitlines(), after.splitlines(), lineterm="", n=CONTEXT
        )
        # The first two lines name files, and there are none.
        yield from list(found)[2:]
    else:
        if difference.kind is not Kind.ADDED:
            yield f"- {where}: {shown(before, VALUE_LENGTH)}"
        if difference.kind is not Kind.REMOVED:
            yield f"+ {where}: {shown(after, VALUE_LENGTH)}"


def _short(line: str) -> str:
    return line if len(line) <= LINE_LENGTH else f"{line[: LINE_LENGTH - 3]}..."
