"""data_quality_monitoring.table_results: was each table fresh and complete, every day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from emulator.account.columns import HOUR, midnight
from emulator.account.happenings import Happening, happenings_on
from emulator.account.lakehouse import LakeTable, lakehouse_of
from emulator.account.plan import Plan
from emulator.account.schemas import table_of
from emulator.account.writers import flows_of, written_at

NAME = "data_quality_monitoring.table_results"
HEALTHY, UNHEALTHY, UNKNOWN = "Healthy", "Unhealthy", "Unknown"
_STREAM_CHECKS, _STREAM_SIZES = 77, 78
_CHECKED_AT, _PREDICTED_AT = 14, 12
_UNKNOWN_SHARE, _NOISE_SHARE = 0.02, 0.004
_GROWTH = 0.002


def checks_on(plan: Plan, day: int) -> dict[str, pa.Table]:
    """The results of one day: the checks run when the writers of the night are done."""
    tables = [t for t in lakehouse_of(plan).checked() if t.lives_on(day)]
    rng = plan.parameters.rng(_STREAM_CHECKS, day)
    fate, noise = rng.random(len(tables)), rng.normal(1, 0.04, len(tables))
    happenings = {h.table: h for h in happenings_on(plan, day) if h.table is not None}
    rows = []
    for place, table in enumerate(tables):
        happening = happenings.get(table)
        # Each day has one unknown, so that the smallest account has them.
        unknown = fate[place] < _UNKNOWN_SHARE or place == day % len(tables)
        if unknown and happening is None:
            rows.append(_unknown(plan, table, day))
        else:
            unlucky = happening is None and fate[place] > 1 - _NOISE_SHARE
            rows.append(_result(plan, table, day, float(noise[place]), happening, unlucky))
    return {NAME: table_of(NAME, rows)}


def _common(plan: Plan, table: LakeTable, day: int) -> dict[str, Any]:
    return {
        "event_time": plan.parameters.moment(day, _CHECKED_AT) + timedelta(seconds=table.number),
        "catalog_name": table.catalog,
        "schema_name": table.schema,
        "table_name": table.name,
        "catalog_id": table.catalog_id,
        "schema_id": table.schema_id,
        "table_id": table.table_id,
    }


def _unknown(plan: Plan, table: LakeTable, day: int) -> dict[str, Any]:
    """A check that could not say: its parts have an error and no values."""
    failed = {"status": UNKNOWN, "error_code": "INSUFFICIENT_HISTORY"}
    return {
        **_common(plan, table, day),
        "status": UNKNOWN,
        "freshness": {"status": UNKNOWN, "commit_freshness": failed},
        "completeness": {"status": UNKNOWN, "total_row_count": failed, "daily_row_count": failed},
    }


def _result(
    plan: Plan,
    table: LakeTable,
    day: int,
    noise: float,
    happening: Happening | None,
    unlucky: bool,
) -> dict[str, Any]:
    kind = happening.kind if happening else None
    stale, dropped = kind == "stale_table", kind == "volume_drop"
    failing = kind == "quality_check_failures"
    is_bad = stale or dropped or failing or unlucky
    row = {
        **_common(plan, table, day),
        "status": UNHEALTHY if is_bad else HEALTHY,
        "freshness": _freshness(plan, table, day, stale=stale),
        "completeness": _completeness(plan, table, day, noise, dropped=dropped, unlucky=unlucky),
    }
    if is_bad:
        row |= {"downstream_impact": _impact(plan, table), "root_cause_analysis": _cause(table)}
    if failing:
        row["_internal_debug_info"] = {"custom_sql": [_failed_check(plan, table, day)]}
    return row


def _freshness(plan: Plan, table: LakeTable, day: int, *, stale: bool) -> dict[str, Any]:
    checked = midnight(plan, day) + _CHECKED_AT * HOUR
    micros = written_at(plan, table, checked, day)
    last = None if micros is None else datetime.fromtimestamp(micros / 1_000_000, UTC)
    status = UNHEALTHY if stale else HEALTHY
    predicted = plan.parameters.moment(day, _PREDICTED_AT)
    commit = {"status": status, "last_value": last, "predicted_value": predicted}
    return {"status": status, "commit_freshness": commit}


def _completeness(
    plan: Plan, table: LakeTable, day: int, noise: float, *, dropped: bool, unlucky: bool
) -> dict[str, Any]:
    size = float(plan.parameters.rng(_STREAM_SIZES, table.number).lognormal(9, 1))
    daily = size * (1 + _GROWTH) ** day
    total = size * (100 + day) * (1 + _GROWTH * day / 2)
    found = daily * min(max(noise, 0.85), 1.15) * (0.15 if dropped else 1)
    parts = {
        "total_row_count": _count(total * (0.7 if unlucky else 1), total, 0.1, bad=unlucky),
        "daily_row_count": _count(found, daily, 0.3, bad=dropped),
    }
    return {"status": UNHEALTHY if dropped or unlucky else HEALTHY, **parts}


def _count(found: float, expected: float, margin: float, *, bad: bool) -> dict[str, Any]:
    return {
        "status": UNHEALTHY if bad else HEALTHY,
        "last_value": round(found),
        "min_predicted_value": round(expected * (1 - margin)),
        "max_predicted_value": round(expected * (1 + margin)),
    }


def _impact(plan: Plan, table: LakeTable) -> dict[str, Any]:
    flows = flows_of(plan)
    downstream = len(np.unique(flows.target[flows.source == table.number]))
    level = 1 + min(downstream, 3)
    return {
        "impact_level": level,
        "num_downstream_tables": downstream,
        "num_queries_on_affected_tables": 10 * level + table.number % 7,
    }


def _cause(table: LakeTable) -> dict[str, Any] | None:
    """The job that writes the table; pipelines are not looked at."""
    writer = table.writer
    if writer is None or writer.product.entity != "job":
        return None
    job = {
        "job_id": writer.entity_id,
        "workspace_id": writer.workspace_id,
        "job_name": writer.name,
        "last_run_status": "SUCCESS",
    }
    return {"upstream_jobs": [job]}


def _failed_check(plan: Plan, table: LakeTable, day: int) -> dict[str, Any]:
    column = next(iter(table.columns))
    share = float(plan.parameters.rng(_STREAM_SIZES, table.number, day).uniform(0.05, 0.4))
    return {
        "name": f"null_share_of_{column}",
        "column_vars": [("column", column)],
        "sql_query": f"SELECT avg(CAST({column} IS NULL AS INT)) FROM {table.full_name}",
        "actual_value": round(share, 4),
        "status": UNHEALTHY,
        "predicted_lower_bound": 0.0,
        "predicted_upper_bound": 0.01,
    }
