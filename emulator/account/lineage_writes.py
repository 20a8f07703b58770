"""The events behind the lineage of writes: which run or update it was, and whose."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from emulator.account.columns import Bools, Ints, moments, structs, uuids
from emulator.account.lakehouse import lakehouse_of
from emulator.account.plan import Plan
from emulator.account.schemas import system_tables
from emulator.account.writers import writer_runs


def events_of_writes(rng: np.random.Generator, plan: Plan, day: int, targets: Ints) -> pa.Table:
    """One event for each table that is written."""
    tables = [lakehouse_of(plan).tables[number] for number in targets]
    writers = [(table, table.writer) for table in tables if table.writer is not None]
    runs = writer_runs(plan, day)
    is_job = np.array([writer.product.entity == "job" for _, writer in writers])
    micros = np.array([runs[writer].writes_at(table) for table, writer in writers])
    ids = pa.array([writer.entity_id for _, writer in writers], pa.string())
    run_ids = pa.array([runs[writer].run_id for _, writer in writers], pa.string())
    return pa.table(
        {
            "workspace_id": pa.array([w.workspace_id for _, w in writers], pa.string()),
            "entity_type": pa.array(np.where(is_job, "JOB", "PIPELINE"), pa.string()),
            "entity_id": ids,
            "entity_run_id": run_ids,
            "created_by": pa.array([writer.owner for _, writer in writers], pa.string()),
            "event_time": moments(micros),
            "event_id": uuids(rng, len(writers)),
            "statement_id": pa.nulls(len(writers), pa.string()),
            "entity_metadata": event_metadata(
                job_info=(is_job, {"job_id": ids, "job_run_id": run_ids}),
                dlt_pipeline_info=(~is_job, {"dlt_pipeline_id": ids, "dlt_update_id": run_ids}),
            ),
        }
    )


def event_metadata(**known: pa.Array | tuple[Bools, dict[str, pa.Array]]) -> pa.StructArray:
    """entity_metadata of the ids that are known; a struct comes with the rows that have it."""
    type_ = system_tables()["access.table_lineage"].arrow.field("entity_metadata").type
    children = {
        name: structs(type_.field(name).type, value[1], ~value[0])
        if isinstance(value, tuple)
        else value
        for name, value in known.items()
    }
    rows = len(next(iter(children.values())))
    return structs(type_, children, np.zeros(rows, dtype=np.bool_))
