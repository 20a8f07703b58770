"""Which rows read a version of something that came, went or changed."""

from __future__ import annotations

from collections.abc import Iterable

from health_monitor.runtime import full_name
from health_monitor.spec import Gold
from health_monitor.spec.kinds import Versions
from health_monitor.spec.sql import quoted

UNTRACKED = frozenset({"ingested_at", "row_key"})
NEVER = "TIMESTAMP'9999-12-31'"


def validity(table: str) -> tuple[str, str]:
    """The columns between which a version holds."""
    return ("__START_AT", "__END_AT") if table.startswith("silver.") else ("valid_from", "valid_to")


def rows_of_versions(
    definition: Gold,
    feed: str,
    versions: Versions,
    changes: str,
    columns: Iterable[str],
    catalog: str,
) -> str:
    """The values of ``refresh.by`` whose rows read a version that changes touched.

    A version that only ends elsewhere than before touches the time between the two ends; any other
    change touches the whole time of the version, and of the first version also all time before.
    """
    begin, end = validity(feed)
    keys = ", ".join(quoted(name) for name in versions.key)
    hidden = {begin.lower(), end.lower(), "is_current", *UNTRACKED}
    content = ", ".join(
        quoted(name)
        for name in columns
        if name.lower() not in hidden and not name.startswith("_commit") and name != "_change_type"
    )
    first = " AND ".join(f"f.{quoted(name)} = w.{quoted(name)}" for name in versions.key)
    joined = " AND ".join(f"w.{quoted(a)} = t.{b}" for a, b in _renamed(versions))
    by = quoted(definition.refresh.by) if definition.refresh else ""
    target = ", ".join(f"{quoted(b)} AS {c}" for b, c in _target_columns(versions))
    return f"""
WITH images AS (
  SELECT {keys}, {begin} AS begins, COALESCE({end}, {NEVER}) AS ends,
    TO_JSON(STRUCT({content})) AS content,
    _change_type IN ('delete', 'update_preimage') AS existed
  FROM {changes}
),
windows AS (
  SELECT {keys}, begins, MAX(ends) AS ends, MIN(ends) AS first_end,
    COUNT(DISTINCT content) = 1 AND MAX(existed) AND NOT MIN(existed) AS only_ends_elsewhere
  FROM images
  GROUP BY {keys}, begins
),
firsts AS (
  SELECT {keys}, MIN({begin}) AS begins FROM {full_name(catalog, feed)} GROUP BY {keys}
),
touched AS (
  SELECT w.*, NOT w.only_ends_elsewhere AND w.begins <= COALESCE(f.begins, w.begins) AS is_first
  FROM windows AS w LEFT JOIN firsts AS f ON {first}
)
SELECT DISTINCT t.{by}
FROM (
  SELECT {by}, {target}, {versions.at} AS read_at
  FROM {full_name(catalog, definition.table)}
) AS t
JOIN touched AS w ON {joined}
  AND (
    w.is_first
    OR t.read_at >= CASE WHEN w.only_ends_elsewhere THEN w.first_end ELSE w.begins END
  )
  AND t.read_at < w.ends"""


def _renamed(versions: Versions) -> list[tuple[str, str]]:
    return [(name, f"key_{place}") for place, name in enumerate(versions.key)]


def _target_columns(versions: Versions) -> list[tuple[str, str]]:
    return [(name, f"key_{place}") for place, name in enumerate(versions.key.values())]
