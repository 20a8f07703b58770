"""node_timeline: what the nodes of classic clusters did, minute by minute.

A cluster is either recorded with all its nodes for the hours that it is billed, or not at all;
there are as many as give a share of the usage rows. Those in trouble come first.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pyarrow as pa

from emulator.account.activity import SECONDS
from emulator.account.columns import (
    Bools,
    DayRows,
    Floats,
    Ints,
    filled,
    lags,
    midnight,
    moments,
    pick,
)
from emulator.account.job_runs import runs_on
from emulator.account.jobs import jobs_of
from emulator.account.meters import job_cluster_id, node_type, pipeline_cluster_id
from emulator.account.plan import ACCOUNT, Entity, Plan
from emulator.account.troubles import is_troubled
from emulator.account.warehouse_events import on_seconds

NODE_TYPES: dict[str, tuple[float, int, int]] = {
    "m5d.xlarge": (4.0, 16_384, 0),
    "m5d.2xlarge": (8.0, 32_768, 0),
    "r5d.xlarge": (4.0, 32_768, 0),
    "i3.2xlarge": (8.0, 62_464, 0),
    "g5.xlarge": (4.0, 16_384, 1),
}
_STREAM_NODES = 49
_SECOND = 1_000_000
_MINUTE = 60
_PER_USAGE_ROW, _LEAST_ROWS = 0.4, 240
_LEAST_SECONDS = 600  # nodes that live shorter are not recorded
_CLASSIC = ("job", "submit", "cluster", "pipeline")


@functools.lru_cache(maxsize=4)
def node_rows(plan: Plan, day: int) -> DayRows:
    """The records of a day, and the days until each is in the table."""
    rng = plan.parameters.rng(_STREAM_NODES, day)
    budget = max(_LEAST_ROWS, round(plan.parameters.rows_per_day * _PER_USAGE_ROW))
    load = _Load(plan, day)
    parts: list[dict[str, Any]] = []
    rows = 0
    for place in _candidates(plan, day):
        if rows >= budget and not _is_in_trouble(plan, plan.entities[place], day):
            break
        part = _of_cluster(rng, plan, day, place, load, budget - rows)
        parts.append(part)
        rows += len(part["start"])
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return _table(rng, plan, day, columns)


def _candidates(plan: Plan, day: int) -> list[int]:
    """Places of the classic clusters that are on, those in trouble first, always in one order."""
    is_on, begin, end = on_seconds(plan, day)
    lasts = np.where(is_on, end - begin, 0).max(axis=1)
    order = plan.parameters.rng(_STREAM_NODES).permutation(len(plan.entities))
    found = [
        int(place)
        for place in order
        if plan.entities[place].product.entity in _CLASSIC
        and not plan.entities[place].product.serverless
        and lasts[place] >= _LEAST_SECONDS
    ]
    return sorted(found, key=lambda place: not _is_in_trouble(plan, plan.entities[place], day))


def _is_in_trouble(plan: Plan, entity: Entity, day: int) -> bool:
    kinds = ("stuck_cluster", "undersized_cluster", "spot_loss")
    return any(is_troubled(plan, kind, entity, day) for kind in kinds)


class _Load:
    """How many runs keep each cluster busy in each minute of the day."""

    def __init__(self, plan: Plan, day: int) -> None:
        runs = runs_on(plan, day)
        self._places = np.array([job.place for job in jobs_of(plan)])[runs.job]
        zero = midnight(plan, day)
        self._first = np.clip((runs.start - zero) // (_MINUTE * _SECOND), 0, 1439)
        self._last = np.clip((runs.end - zero) // (_MINUTE * _SECOND), 0, 1439)

    def of(self, place: int) -> Ints:
        here = self._places == place
        change = np.zeros(1441, dtype=np.int64)
        np.add.at(change, self._first[here], 1)
        np.add.at(change, self._last[here] + 1, -1)
        return np.cumsum(change)[:1440]


def _of_cluster(
    rng: np.random.Generator, plan: Plan, day: int, place: int, load: _Load, most: int
) -> dict[str, Any]:
    """The records of one cluster, hour after hour while there is room: always one hour."""
    entity = plan.entities[place]
    is_on, begin, end = (found[place] for found in on_seconds(plan, day))
    nodes = 1 + min(entity.size, 3 + entity.number % 2)
    starts, ends = [], []
    for hour in np.flatnonzero(is_on & (end - begin >= _LEAST_SECONDS)):
        edges = np.arange(begin[hour] // _MINUTE * _MINUTE, end[hour], _MINUTE)
        starts.append(hour * SECONDS + np.maximum(edges, begin[hour]))
        ends.append(hour * SECONDS + np.minimum(edges + _MINUTE, end[hour]))
        if sum(len(part) for part in starts) * nodes >= most:
            break
    start, stop = np.concatenate(starts), np.concatenate(ends)
    minutes = len(start)
    node = np.repeat(np.arange(nodes), minutes)
    start, stop = np.tile(start, nodes), np.tile(stop, nodes)
    busy = load.of(place)[start // _MINUTE] > 0
    is_missing, life = _lives(rng, plan, day, entity, node, start)
    columns: dict[str, Any] = {
        "place": np.full(len(node), place),
        "node": node,
        "life": life,
        "start": start,
        "end": stop,
        **_figures(rng, plan, day, entity, node, busy),
    }
    return {name: column[~is_missing] for name, column in columns.items()}


def _lives(
    rng: np.random.Generator, plan: Plan, day: int, entity: Entity, node: Ints, start: Ints
) -> tuple[Bools, Ints]:
    """Workers that the cloud takes away are gone for minutes, and come back as other ones."""
    life = np.zeros(len(node), dtype=np.int64)
    is_missing = np.zeros(len(node), dtype=bool)
    if is_troubled(plan, "spot_loss", entity, day):
        hour, minute = start // SECONDS, start % SECONDS // _MINUTE
        lost = (node > 0) & (minute >= 20)
        is_missing = lost & (minute < 28)
        life = hour * 2 + lost
    return is_missing, life * (node > 0)


def _figures(
    rng: np.random.Generator, plan: Plan, day: int, entity: Entity, node: Ints, busy: Bools
) -> dict[str, Floats]:
    """Workers work while a run does; the driver does a little, and idle nodes nothing."""
    size = len(node)
    is_driver = node == 0
    idle = entity.size > 6
    works = busy & ~is_driver & ~(idle & (node == node.max()))
    cpu = np.where(works, rng.normal(55, 14, size), rng.gamma(2.0, 1.5, size))
    cpu = np.where(is_driver & busy, rng.normal(18, 5, size), cpu)
    memory = np.where(busy, rng.normal(62, 7, size), rng.normal(28, 4, size))
    swap = np.zeros(size)
    wait = rng.gamma(1.5, 1.0, size)
    if is_troubled(plan, "stuck_cluster", entity, day):
        cpu, memory = rng.gamma(1.2, 0.8, size), rng.normal(21, 2, size)
    if is_troubled(plan, "undersized_cluster", entity, day):
        memory, swap = rng.normal(96, 1.2, size), rng.gamma(4.0, 5.0, size)
        wait = rng.normal(30, 6, size)
    user = np.clip(cpu, 0.1, 90)
    return {
        "cpu_user_percent": user,
        "cpu_system_percent": np.clip(user * 0.12, 0.05, 9.9),
        "cpu_wait_percent": np.clip(wait, 0, 99 - user * 1.12),
        "mem_used_percent": np.clip(memory, 5, 99.5),
        "mem_swap_percent": np.clip(swap, 0, 100),
        "traffic": np.where(works, rng.gamma(2.0, 4e7, size), rng.gamma(1.5, 2e5, size)),
    }


def _table(rng: np.random.Generator, plan: Plan, day: int, columns: dict[str, Any]) -> DayRows:
    zero = midnight(plan, day)
    place, node = columns["place"], columns["node"]
    entities = plan.entities
    known, index = np.unique(place * 10_000 + node * 100 + columns["life"], return_inverse=True)
    instances = [f"i-{day:05x}{key:012x}" for key in known]
    addresses = [f"10.{key // 2_500_000 % 256}.{key // 10_000 % 250}.{key % 250}" for key in known]
    disks = [[("/", 80_000_000_000 - 7_000_000 * n), ("/local_disk0", 10**11)] for n in range(9)]
    end = zero + columns["end"] * _SECOND
    schema_name = "compute.node_timeline"
    disk_type = filled(schema_name, 0, {}).schema.field("disk_free_bytes_per_mount_point").type
    percents = {name: pa.array(np.round(c, 3)) for name, c in columns.items() if "percent" in name}
    sent = columns["traffic"].astype(np.int64)
    table = filled(
        schema_name,
        len(place),
        {
            "account_id": ACCOUNT,
            "workspace_id": pick([entity.workspace_id for entity in entities], place),
            "cluster_id": pick(cluster_ids(plan, day), place),
            "instance_id": pick(instances, index),
            "start_time": moments(zero + columns["start"] * _SECOND),
            "end_time": moments(end),
            "driver": pa.array(node == 0),
            **percents,
            "network_sent_bytes": pa.array(sent),
            "network_received_bytes": pa.array(sent * 11 // 10),
            "disk_free_bytes_per_mount_point": pick(disks, node, disk_type),
            "node_type": pick([node_type(entity) for entity in entities], place),
            "private_ip": pick(addresses, index),
        },
    )
    return DayRows(table, lags(rng, end, zero))


def cluster_ids(plan: Plan, day: int) -> list[str | None]:
    """By place: the cluster that an entity has on a day."""
    return [_cluster_id(plan, entity, day) for entity in plan.entities]


def _cluster_id(plan: Plan, entity: Entity, day: int) -> str | None:
    kind = entity.product.entity
    if kind == "cluster":
        return entity.entity_id
    if kind == "pipeline":
        return pipeline_cluster_id(entity)
    is_classic = kind in ("job", "submit") and not entity.product.serverless
    return job_cluster_id(plan, entity, day) if is_classic else None


def node_type_rows() -> list[dict[str, Any]]:
    """The rows of node_types."""
    return [
        {
            "account_id": ACCOUNT,
            "node_type": name,
            "core_count": cores,
            "memory_mb": memory,
            "gpu_count": gpus,
        }
        for name, (cores, memory, gpus) in NODE_TYPES.items()
    ]
