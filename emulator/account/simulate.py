"""Write a simulated account as a folder of Parquet files, and add days to it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emulator.account.incidents import INCIDENTS
from emulator.account.plan import Parameters, Plan, make_plan
from emulator.account.schemas import system_tables, table_of
from emulator.account.sources import (
    CURRENT,
    CURRENT_TRUTH,
    DAILY,
    INCIDENT_SOURCES,
    REVISED,
    REVISED_FOR_DAYS,
    TRUTH,
    Tables,
)

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
    for day in range(days):
        _write_day(out, plan, day)
        _write_revised(out, plan, day)
        progress(day + 1, days)
    _write_current(out, plan)
    _write_empty(out)
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
    _write_day(out, plan, today)
    for day in range(max(0, today - REVISED_FOR_DAYS), today + 1):
        _write_revised(out, plan, day)
    _write_current(out, plan)
    _write_state(out, parameters, complete=True)
    return parameters


def _write_day(out: Path, plan: Plan, day: int) -> None:
    """One new file for each append-only table that gained rows, and the day's truths."""
    name = f"{plan.parameters.day(day)}.parquet"
    for table, rows in _all(source(plan, day) for source in DAILY).items():
        if rows.num_rows:
            _write(_folder(out, table) / name, rows)
    for truth, rows in _all(source(plan, day) for source in TRUTH).items():
        _write(out / "truth" / truth / name, rows)


def _write_revised(out: Path, plan: Plan, day: int) -> None:
    """A day's file of the tables whose rows still change for some days."""
    for table, rows in _all(source(plan, day) for source in REVISED).items():
        _write(_folder(out, table) / f"{plan.parameters.day(day)}.parquet", rows)


def _write_current(out: Path, plan: Plan) -> None:
    """The tables whose rows change, as they are now, and the truths."""
    for table, rows in _all(source(plan) for source in CURRENT).items():
        _write(_folder(out, table) / "current.parquet", rows)
    for truth, rows in _all(source(plan) for source in CURRENT_TRUTH).items():
        _write(out / "truth" / f"{truth}.parquet", rows)
    labels = [label for source in INCIDENT_SOURCES for label in source(plan)]
    table = pa.Table.from_pylist(labels, schema=INCIDENTS)
    _write(out / "truth" / "incidents.parquet", table)


def _write_empty(out: Path) -> None:
    """A file without rows for each table in which nothing has happened yet."""
    for name in system_tables():
        if not _folder(out, name).exists():
            _write(_folder(out, name) / "0.parquet", table_of(name, []))


def _all(parts: Iterable[Tables]) -> Tables:
    """What all sources give; no two write the same table."""
    tables: Tables = {}
    for part in parts:
        twice = tables.keys() & part.keys()
        if twice:
            raise AccountError(f"two sources write {', '.join(sorted(twice))}")
        tables.update(part)
    return tables


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
