"""Whether a new version may take the champion's place; plain functions of what both flag."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# Of the days that the champion flags, the share that a new version has to flag too.
LEAST_AGREEMENT = 0.5
# How often a new version may flag a day, as a multiple of what its definition expects.
MOST_FLAGGED = 3.0


def objections(new: pd.Series, champion: pd.Series, contamination: float) -> list[str]:
    """Why the new version must not become champion; none where it is no worse.

    Both are truth values, one a day and series, over the same rows.
    """
    found = []
    known = int(champion.sum())
    agreed = int((new & champion).sum())
    if known and agreed / known < LEAST_AGREEMENT:
        found.append(
            f"it finds {agreed} of the {known} anomalies that the champion finds, "
            f"less than {LEAST_AGREEMENT:.0%}"
        )
    share = float(new.mean()) if len(new) else 0.0
    if share > contamination * MOST_FLAGGED and share > float(champion.mean()):
        found.append(
            f"it flags {share:.1%} of all days, more than {MOST_FLAGGED:g} times the "
            f"{contamination:.1%} that its definition expects"
        )
    return found
