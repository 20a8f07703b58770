"""Which rows an incident has left: the truth behind the labels, row by row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from emulator.account import audit, network, serving
from emulator.account.columns import pick
from emulator.account.plan import Plan

INCIDENT_ROWS = pa.schema(
    [
        ("incident_id", pa.string()),
        ("source_table", pa.string()),
        ("row_id", pa.string()),
        ("event_date", pa.date32()),
    ]
)


def incident_rows_on(plan: Plan, day: int) -> dict[str, pa.Table]:
    """The rows of one day's events, whenever they become visible."""
    parts = list(_parts(plan, day))
    return {"incident_rows": pa.concat_tables(parts) if parts else INCIDENT_ROWS.empty_table()}


def _parts(plan: Plan, day: int) -> Iterator[pa.Table]:
    for name, key, rows in (
        (audit.NAME, "event_id", audit.audit_of(plan, day)),
        (network.OUTBOUND, "event_id", network.outbound_of(plan, day)),
        (network.INBOUND, "event_id", network.inbound_of(plan, day)),
        (serving.USAGE, "databricks_request_id", serving.requests_of(plan, day)),
    ):
        incident = rows.incident
        if incident is None or not (incident >= 0).any():
            continue
        marked = np.flatnonzero(incident >= 0)
        columns = [
            pick(rows.incidents, incident[marked]),
            pa.repeat(name, len(marked)),
            rows.table[key].take(pa.array(marked)),
            pa.repeat(pa.scalar(plan.parameters.day(day), pa.date32()), len(marked)),
        ]
        # An event that came from two regions is one row of the truth.
        yield pa.table(columns, schema=INCIDENT_ROWS).group_by(INCIDENT_ROWS.names).aggregate([])
