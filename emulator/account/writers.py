"""When the writers of tables write, and which of the lakehouse's flows run on a day."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from emulator.account.columns import HOUR, Bools, Ints, midnight
from emulator.account.happenings import happenings_on
from emulator.account.lakehouse import LakeTable, lakehouse_of
from emulator.account.plan import Entity, Plan


@dataclass(frozen=True, eq=False)
class Flows:
    """What each writer moves: a target, and a source table (-1: none) or a path."""

    target: Ints
    source: Ints
    path: tuple[str | None, ...]
    from_day: Ints
    until_day: Ints


@functools.lru_cache(maxsize=4)
def flows_of(plan: Plan) -> Flows:
    """All flows of the account; a table without any source is written from values."""
    found: list[tuple[int, int, str | None, int, int]] = []
    for table in lakehouse_of(plan).tables:
        writer = table.writer
        if writer is None:
            continue
        gone = table.dropped if writer.deleted is None else writer.deleted
        life = (max(table.created, writer.created), min(gone, table.dropped))
        for source in table.sources:
            found.append((table.number, source, None, *life))
        if not table.sources:
            found.append((table.number, -1, table.path, *life))
    target, source, path, begin, end = zip(*found, strict=True)
    return Flows(np.array(target), np.array(source), path, np.array(begin), np.array(end))


def flows_on(plan: Plan, day: int) -> Ints:
    """The places of the flows that run on a day: not those into a stale table."""
    flows = flows_of(plan)
    runs: Bools = (flows.from_day <= day) & (day < flows.until_day)
    for happening in happenings_on(plan, day, "stale_table"):
        if happening.table is not None:
            runs &= flows.target != happening.table.number
    return np.flatnonzero(runs)


def written_at(plan: Plan, table: LakeTable, day: int) -> int | None:
    """When the table was last written by the end of a day, in microseconds since 1970."""
    writer = table.writer
    if writer is None or not writer.lives_on(max(writer.created, table.created)):
        return None
    last = day if writer.deleted is None else min(day, writer.deleted - 1)
    stale = {h.table for h in happenings_on(plan, last, "stale_table")}
    while table in stale:
        last -= 1
        stale = {h.table for h in happenings_on(plan, last, "stale_table")}
    return midnight(plan, last) + moment_of_writing(writer, table)


def moment_of_writing(writer: Entity, table: LakeTable) -> int:
    """Microseconds of the day at which the writer comes to this table."""
    minute = 5 + table.number * 7 % 20
    return writer.hours[0] * HOUR + minute * HOUR // 60
