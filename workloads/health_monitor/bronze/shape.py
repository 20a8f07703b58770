"""What a bronze table looks like, from its definition."""

from __future__ import annotations

from health_monitor.ddl import BASE_PROPERTIES, TableShape
from health_monitor.spec.base import Column
from health_monitor.spec.kinds import Bronze

SNAPSHOT_DATE = Column(
    name="snapshot_date",
    type="date",
    comment="The day of the picture. Technical: UTC date of the ingestion run.",
)
ADDED = [
    Column(
        name="ingested_at",
        type="timestamp",
        comment="When the platform read the row. Technical: UTC time of the ingestion run.",
    ),
    Column(
        name="row_key",
        type="string",
        comment=(
            "What tells the row from all others. Technical: its natural key as text, or a hash of "
            "the whole row where a part of the key is NULL."
        ),
    ),
    Column(
        name="rescued_data",
        type="string",
        comment=(
            "What the source had and the columns cannot hold. Technical: JSON of column to text, "
            "shortened above 1 MiB; NULL when every value fits; such rows are set aside by silver."
        ),
    ),
]


def added_columns(definition: Bronze) -> list[Column]:
    """What bronze itself says of each row."""
    return [*([SNAPSHOT_DATE] if definition.mode == "daily_snapshot" else []), *ADDED]


def bronze_shape(definition: Bronze) -> TableShape:
    """The source's columns, derived ones, and when and as what each row was read."""
    columns: list[Column] = [
        *definition.columns.values(),
        *definition.derived.values(),
        *added_columns(definition),
    ]
    return TableShape(definition.table, definition.comment, columns, properties=BASE_PROPERTIES)
