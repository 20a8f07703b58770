"""information_schema.tables and data_classification.results, as they stand at the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from emulator.account.columns import midnight
from emulator.account.happenings import happenings_until
from emulator.account.lakehouse import LakeTable, lakehouse_of, vocabulary
from emulator.account.lineage import added_column
from emulator.account.plan import Plan
from emulator.account.schemas import table_of
from emulator.account.writers import written_at

TABLES, CLASSES = "information_schema.tables", "data_classification.results"
SCAN_EVERY_DAYS = 7
_STREAM_CLASSES = 76
_CREATED_AT, _SCANNED_AT, _RESCANNED_AT = 0.3, 4.0, 22.0
_INSERTABLE = ("MANAGED", "EXTERNAL")


def table_state(plan: Plan) -> dict[str, pa.Table]:
    """Both tables at the end of the plan's last day."""
    last = plan.parameters.days - 1
    lakehouse = lakehouse_of(plan)
    alive = [lakehouse.tables[number] for number in lakehouse.alive(last)]
    return {
        TABLES: table_of(TABLES, [_table(plan, table, last) for table in alive]),
        CLASSES: table_of(CLASSES, [row for table in alive for row in _classes(plan, table, last)]),
    }


def _table(plan: Plan, table: LakeTable, last: int) -> dict[str, Any]:
    created = plan.parameters.moment(table.created, _CREATED_AT)
    micros = written_at(plan, table, midnight(plan, last + 1), last)
    altered = created if micros is None else datetime.fromtimestamp(micros / 1_000_000, UTC)
    location = f"s3://metastore/{table.catalog}/{table.table_id}"
    return {
        "table_catalog": table.catalog,
        "table_schema": table.schema,
        "table_name": table.name,
        "table_type": table.kind,
        "is_insertable_into": "YES" if table.kind in _INSERTABLE else "NO",
        "commit_action": "PRESERVE",
        "table_owner": table.owner,
        "comment": table.comment,
        "created": created,
        "created_by": table.creator,
        "last_altered": max(altered, created),
        "last_altered_by": table.creator,
        "data_source_format": None if table.is_view else "DELTA",
        "storage_path": None if table.is_view else location,
    }


def _classes(plan: Plan, table: LakeTable, last: int) -> Iterator[dict[str, Any]]:
    """What the weekly scans have found in the columns of a table."""
    if table.is_view:
        return
    offset = table.number % SCAN_EVERY_DAYS
    first = table.created + (offset - table.created) % SCAN_EVERY_DAYS
    latest = last - (last - offset) % SCAN_EVERY_DAYS
    classes = vocabulary()["classes"]
    for place, (column, type_) in enumerate(table.columns.items()):
        if column in classes and first <= last:
            days = (first, max(first, latest))
            yield _class(plan, table, (column, type_, column), days, place)
    for happening in happenings_until(plan, last, "unclassified_sensitive_column"):
        if happening.table is table:
            column = added_column(happening.kind, happening.seed[0])
            kind = vocabulary()["added_sensitive_columns"][column]
            days = (happening.first_day, max(happening.first_day, latest))
            yield _class(plan, table, (column, "string", kind), days, len(table.columns))


def _class(
    plan: Plan, table: LakeTable, column: tuple[str, str, str], days: tuple[int, int], place: int
) -> dict[str, Any]:
    """``column`` is its name, its type, and the one of lakehouse.yml's classes that it is."""
    name, type_, kind = column
    found = vocabulary()["classes"][kind]
    rng = plan.parameters.rng(_STREAM_CLASSES, table.number, place)
    moment = plan.parameters.moment
    at = _RESCANNED_AT if name != kind else _SCANNED_AT
    again = _RESCANNED_AT if days[0] == days[1] and name != kind else _SCANNED_AT
    return {
        "catalog_id": table.catalog_id,
        "table_id": table.table_id,
        "first_detected_time": moment(days[0], at),
        "latest_detected_time": moment(days[1], again),
        "catalog_name": table.catalog,
        "schema_name": table.schema,
        "table_name": table.name,
        "column_name": name,
        "data_type": type_,
        "class_tag": found["tag"],
        "samples": found["samples"] if rng.random() < 0.7 else None,
        "confidence": found["confidence"],
        "frequency": round(float(np.clip(found["frequency"] + rng.normal(0, 0.02), 0, 1)), 4),
    }
