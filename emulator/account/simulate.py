"""Write a simulated account as a folder of Parquet files, and add days to it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emulator.account.entity_tables import versions_on, workspaces_latest
from emulator.account.incidents import (
    INCIDENT_DAYS,
    INCIDENTS,
    incident_day_rows,
    incident_rows,
)
from emulator.account.plan import Parameters, Plan, make_plan
from emulator.account.prices import account_prices, list_prices
from emulator.account.schemas import system_tables
from emulator.account.usage import AWKWARD, LONGEST_DELAY_DAYS, usage_of

Progress = Callable[[int, int], None]


class AccountError(ValueError):
    """The account cannot be written or continued as asked; the message says why."""


def simulate(
    out: Path,
    *,
    days: int,
    seed: int,
    workspaces: int,
    usage_rows: int,
    end: date,
    progress: Progress = lambda done, total: None,
) -> Parameters:
    """Write an account of ``days`` days that ends with ``end`` to an empty folder."""
    for name, value in (("days", days), ("workspaces", workspaces), ("usage rows", usage_rows)):
        if value < 1:
            raise AccountError(f"{name} must be at least 1, found {value}")
    if _state(out).exists() and _read(out)["complete"]:
        raise AccountError(f"{out} holds an account already: add a day with next-day")
    if not _state(out).exists() and out.exists() and any(out.iterdir()):
        raise AccountError(f"{out} is not empty and holds no simulated account")
    rows_per_day = math.ceil(usage_rows / days)
    first_day = end - timedelta(days=days - 1)
    parameters = Parameters(seed, workspaces, first_day, days, rows_per_day)
    out.mkdir(parents=True, exist_ok=True)
    _write_state(out, parameters, complete=False)
    plan = make_plan(parameters)
    pending: dict[int, list[tuple[pa.Table, pa.Table]]] = defaultdict(list)
    for day in range(days):
        rows = usage_of(plan, day)
        for lag in range(LONGEST_DELAY_DAYS + 1):
            pending[day + lag].append((rows.exported_after(lag), rows.awkward_after(lag)))
        _write_day(out, plan, day, pending.pop(day))
        progress(day + 1, days)
    _write_current(out, plan)
    _write_state(out, parameters, complete=True)
    return parameters


def next_day(out: Path) -> Parameters:
    """Add one day to the account in a folder."""
    if not _state(out).exists():
        raise AccountError(f"{out} holds no simulated account (no account.json): simulate first")
    document = _read(out)
    if not document["complete"]:
        raise AccountError(f"{out} was not written to its end: simulate it again")
    before = Parameters.from_json(document["parameters"])
    parameters = replace(before, days=before.days + 1)
    plan = make_plan(parameters)
    today = parameters.days - 1
    parts = []
    for day in range(max(0, today - LONGEST_DELAY_DAYS), today + 1):
        rows = usage_of(plan, day)
        parts.append((rows.exported_after(today - day), rows.awkward_after(today - day)))
    _write_day(out, plan, today, parts)
    _write_current(out, plan)
    _write_state(out, parameters, complete=True)
    return parameters


def _write_day(out: Path, plan: Plan, day: int, parts: list[tuple[pa.Table, pa.Table]]) -> None:
    """One new file for each append-only table that gained rows."""
    name = f"{plan.parameters.day(day)}.parquet"
    _write(_folder(out, "billing.usage") / name, pa.concat_tables([usage for usage, _ in parts]))
    awkward = pa.concat_tables([found for _, found in parts]).cast(AWKWARD)
    _write(out / "truth" / "awkward_rows" / name, awkward)
    for table, rows in versions_on(plan, day).items():
        if rows:
            _write_rows(_folder(out, table) / name, rows, system_tables()[table].arrow)


def _write_current(out: Path, plan: Plan) -> None:
    """The tables whose rows change, as they are now, and the truths."""
    current = {
        "billing.list_prices": list_prices(plan.parameters),
        "billing.account_prices": account_prices(plan.parameters),
        "access.workspaces_latest": workspaces_latest(plan),
    }
    for table, rows in current.items():
        _write_rows(_folder(out, table) / "current.parquet", rows, system_tables()[table].arrow)
    _write_rows(out / "truth" / "incidents.parquet", incident_rows(plan), INCIDENTS)
    _write_rows(out / "truth" / "incident_days.parquet", incident_day_rows(plan), INCIDENT_DAYS)


def _write_rows(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    _write(path, pa.Table.from_pylist(rows, schema=schema))


def _write(path: Path, table: pa.Table) -> None:
    """Whole or not at all, so that a killed run leaves no truncated file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    pq.write_table(table, unfinished, compression="zstd")
    unfinished.replace(path)


def _folder(out: Path, table: str) -> Path:
    return out / "tables" / table


def _state(out: Path) -> Path:
    return out / "account.json"


def _read(out: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(_state(out).read_text())
    except json.JSONDecodeError as error:
        raise AccountError(f"{_state(out)} is no valid JSON: {error}") from error
    return document


def _write_state(out: Path, parameters: Parameters, *, complete: bool) -> None:
    document = {
        "complete": complete,
        "last_day": parameters.last_day.isoformat(),
        "parameters": parameters.to_json(),
    }
    unfinished = _state(out).with_suffix(".unfinished")
    unfinished.write_text(json.dumps(document, indent=2) + "\n")
    unfinished.replace(_state(out))
