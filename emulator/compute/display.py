"""``display`` and ``displayHTML`` of a notebook that runs without a page: as text in the log."""

from __future__ import annotations

from typing import Any

ROWS = 20


def display(value: Any, *_options: object, **_named_options: object) -> None:
    """Print a frame's first rows, or the value."""
    if hasattr(value, "sparkSession") and hasattr(value, "show"):
        value.show(ROWS, truncate=False)
    elif hasattr(value, "to_string"):
        print(value.head(ROWS).to_string())
    else:
        print(value)


def display_html(html: str) -> None:
    print(html)
