"""What runs, statements and idle hours really cost: the simulator knows it, the platform must not.

A cluster's or a warehouse's hour is shared out by the load that each run or statement really put
on it, which no system table shows. Money is at effective list price, all corrections included,
even those that are exported later.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa

from emulator.account.columns import (
    HOUR,
    Bools,
    Floats,
    Ints,
    decimals,
    midnight,
    moments,
    pick,
    repeated,
    texts,
)
from emulator.account.job_runs import WORKFLOW_RUN, runs_on
from emulator.account.jobs import Job, jobs_of
from emulator.account.plan import Plan
from emulator.account.prices import effective_usd
from emulator.account.queries import queries_on
from emulator.account.query_history import statement_ids
from emulator.account.usage import QUANTITY_SCALE, usage_of
from emulator.account.warehouse_events import on_seconds

_SECOND = 1_000_000
_STREAM_COSTS = 52
_HOSTS = ("cluster", "warehouse")
_MONEY = pa.decimal128(38, 18)
_ByRun = dict[tuple[int, int], Decimal]


@dataclass(frozen=True, eq=False)
class _Pieces:
    """What kept a host busy, cut at the hours; ``key`` is place * 24 + hour."""

    source: Ints
    key: Ints
    start: Ints
    end: Ints


def run_costs(plan: Plan, day: int) -> dict[str, pa.Table]:
    """truth/run_costs: every run of a day, those on others' compute by their true load."""
    runs = runs_on(plan, day)
    jobs = jobs_of(plan)
    dbus, dollars = _billed_to_runs(plan, day)
    places = np.array([job.place for job in jobs])[runs.job].tolist()
    keys = list(zip(places, runs.run_id.tolist(), strict=True))
    is_guest = np.array([job.is_guest for job in jobs])[runs.job]
    is_child = runs.type == WORKFLOW_RUN
    shares = _shares(plan, day)
    guests = shares.of_runs() + shares.of_runs_with_statements()
    costs = [
        None if child else _money(guests[n]) if guest else dollars.get(key, Decimal(0))
        for n, (key, guest, child) in enumerate(zip(keys, is_guest, is_child, strict=True))
    ]
    units = [
        None if child or guest else dbus.get(key, Decimal(0))
        for key, guest, child in zip(keys, is_guest, is_child, strict=True)
    ]
    table = pa.table(
        {
            "workspace_id": pick([job.entity.workspace_id for job in jobs], runs.job),
            "job_id": texts(runs.job_id),
            "run_id": texts(runs.run_id),
            "compute_kind": pick([_compute_kind(job) for job in jobs], runs.job),
            "dbus": pa.array(units, pa.decimal128(38, QUANTITY_SCALE)),
            "cost_usd": pa.array(costs, _MONEY),
        }
    )
    return {"run_costs": table}


def _compute_kind(job: Job) -> str:
    if job.is_guest:
        return "warehouse" if job.compute_type == "WAREHOUSE" else "all_purpose"
    return "jobs_serverless" if job.entity.product.serverless else "jobs_classic"


def query_costs(plan: Plan, day: int) -> dict[str, pa.Table]:
    """truth/query_costs: every statement that ran on a warehouse."""
    queries = queries_on(plan, day)
    costs = _shares(plan, day).of_statements()
    on_warehouse = np.flatnonzero(queries.place >= 0)
    places = queries.place[on_warehouse]
    table = pa.table(
        {
            "workspace_id": pick([e.workspace_id for e in plan.entities], places),
            "statement_id": statement_ids(plan, day).take(pa.array(on_warehouse)),
            "warehouse_id": pick([e.entity_id for e in plan.entities], places),
            "cost_usd": _moneys(costs[on_warehouse]),
        }
    )
    return {"query_costs": table}


def idle_costs(plan: Plan, day: int) -> dict[str, pa.Table]:
    """truth/idle_costs: every billed hour of a cluster or a warehouse."""
    shares = _shares(plan, day)
    is_host = np.array([entity.product.entity in _HOSTS for entity in plan.entities])
    place, hour = np.nonzero(shares.ran * is_host[:, None])
    cost, ran = shares.cost[place, hour], shares.ran[place, hour]
    busy = shares.busy.reshape(-1, 24)[place, hour] / _SECOND
    # Somebody worked in a notebook meanwhile: no system table says so.
    interactive = shares.interactive[place, hour] * (1 - busy / ran)
    kinds = [e.product.entity for e in plan.entities]
    table = pa.table(
        {
            "workspace_id": pick([e.workspace_id for e in plan.entities], place),
            "compute_kind": pick(kinds, place),
            "compute_id": pick([e.entity_id for e in plan.entities], place),
            "hour": moments(midnight(plan, day) + hour * HOUR),
            "ran_seconds": pa.array(ran),
            "busy_seconds": pa.array(busy),
            "cost_usd": _moneys(cost),
            "interactive_cost_usd": _moneys(cost * interactive),
            "idle_cost_usd": _moneys(cost * (1 - busy / ran - interactive)),
        }
    )
    return {"idle_costs": table}


class _Shares:
    """The hours of all hosts of a day: what they cost, how long they ran and were busy."""

    def __init__(self, plan: Plan, day: int) -> None:
        self._plan, self._day = plan, day
        is_on, begin, end = on_seconds(plan, day)
        self.ran: Ints = np.where(is_on, end - begin, 0)
        self.cost = _hourly_costs(plan, day)
        self._runs = self._run_pieces()
        self._statements = self._statement_pieces()
        size = self.ran.size
        self.busy = _union(self._runs, size) + _union(self._statements, size)
        rng = plan.parameters.rng(_STREAM_COSTS, day)
        is_cluster = np.array([e.product.entity == "cluster" for e in plan.entities])
        self.interactive: Floats = rng.uniform(0, 0.8, self.ran.shape) * is_cluster[:, None]
        self._run_weights = rng.lognormal(0, 0.5, len(runs_on(plan, day)))

    def of_runs(self) -> Floats:
        """Dollars of each run on a cluster that is not its own."""
        pieces = self._runs
        weights = self._run_weights[pieces.source] * (pieces.end - pieces.start)
        return self._split(pieces, weights, len(self._run_weights))

    def of_statements(self) -> Floats:
        """Dollars of each statement on a warehouse."""
        queries = queries_on(self._plan, self._day)
        pieces = self._statements
        lasts = np.maximum(queries.executes * 1000, 1)[pieces.source]
        heavy = (queries.task_ms * queries.hidden_weight)[pieces.source]
        weights = heavy * (pieces.end - pieces.start) / lasts
        return self._split(pieces, weights, len(queries))

    def of_runs_with_statements(self) -> Floats:
        """Dollars of the statements of each run."""
        queries = queries_on(self._plan, self._day)
        of_run = (queries.run >= 0) & (queries.place >= 0)
        size = len(self._run_weights)
        return _sums(queries.run[of_run], self.of_statements()[of_run], size)

    def _split(self, pieces: _Pieces, weights: Floats, size: int) -> Floats:
        """The busy share of each hour's cost, by weight."""
        ran = self.ran.ravel()[pieces.key]
        paid = self.cost.ravel()[pieces.key] * self.busy[pieces.key] / (ran * _SECOND)
        total = _sums(pieces.key, weights, self.ran.size)[pieces.key]
        shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        return _sums(pieces.source, paid * shares, size)

    def _run_pieces(self) -> _Pieces:
        runs = runs_on(self._plan, self._day)
        jobs = jobs_of(self._plan)
        chosen = np.array([j.is_guest and j.compute_type == "CLUSTER" for j in jobs])[runs.job]
        index = np.flatnonzero(chosen & (runs.type != WORKFLOW_RUN) & (runs.end > runs.start))
        place = np.array([job.place for job in jobs])[runs.job[index]]
        return self._pieces(index, place, runs.start[index], runs.end[index])

    def _statement_pieces(self) -> _Pieces:
        queries = queries_on(self._plan, self._day)
        index = np.flatnonzero((queries.place >= 0) & (queries.executes > 0))
        end = queries.end[index]
        start = end - queries.executes[index] * 1000
        return self._pieces(index, queries.place[index], start, end)

    def _pieces(self, source: Ints, place: Ints, start: Ints, end: Ints) -> _Pieces:
        zero = midnight(self._plan, self._day)
        first, last = (start - zero) // HOUR, (end - 1 - zero) // HOUR
        row, within = repeated(last - first + 1)
        hour = first[row] + within
        begins = np.maximum(start[row], zero + hour * HOUR)
        ends = np.minimum(end[row], zero + (hour + 1) * HOUR)
        return _Pieces(source[row], place[row] * 24 + hour, begins, ends)


def _sums(key: Ints, values: Floats, size: int) -> Floats:
    """The sum of the values of each key."""
    return np.bincount(key, values, minlength=size).astype(np.float64)


@functools.lru_cache(maxsize=2)
def _shares(plan: Plan, day: int) -> _Shares:
    return _Shares(plan, day)


def _union(pieces: _Pieces, size: int) -> Ints:
    """Microseconds of each hour in which anything went on."""
    order = np.lexsort((pieces.start, pieces.key))
    key, start, end = pieces.key[order], pieces.start[order], pieces.end[order]
    if not len(key):
        return np.zeros(size, dtype=np.int64)
    # Hours are told apart by a gap that no piece spans, so one running maximum does for all.
    zero = start.min()
    gap = key * (2 * 24 * HOUR)
    reached = np.maximum.accumulate(end - zero + gap)
    before = np.concatenate([[0], reached[:-1]])
    added = np.maximum(reached - np.maximum(start - zero + gap, before), 0)
    return np.bincount(key, added, minlength=size).astype(np.int64)


def _hourly_costs(plan: Plan, day: int) -> Floats:
    """Dollars by place of the entity and hour."""
    usage = usage_of(plan, day)
    rows = usage.rows
    price, next_price = _prices(plan, day)
    after = _is_after(plan, day, rows.end)
    dollars = (
        rows.quantity
        / 10**QUANTITY_SCALE
        * np.where(after, next_price[rows.source], price[rows.source])
    )
    places = np.array([meter.place for meter in usage.activity.meters])[rows.source]
    size = len(plan.entities) * 24
    return _sums(places * 24 + rows.hour, dollars * usage.is_true, size).reshape(-1, 24)


def _prices(plan: Plan, day: int) -> tuple[Floats, Floats]:
    """Of each meter: the price of the day, and of its last hour, which ends on the next."""
    meters = usage_of(plan, day).activity.meters
    skus = [meter.entity.product.sku for meter in meters]
    known = {
        sku: [float(effective_usd(plan.parameters, sku, d) or 0) for d in (day, day + 1)]
        for sku in set(skus)
    }
    found = np.array([known[sku] for sku in skus])
    return found[:, 0], found[:, 1]


def _is_after(plan: Plan, day: int, end: Ints) -> Bools:
    return end >= midnight(plan, day + 1)


@functools.lru_cache(maxsize=2)
def _billed_to_runs(plan: Plan, day: int) -> tuple[_ByRun, _ByRun]:
    """DBUs and dollars of each run that the bill names, exactly: by place of the entity and id."""
    usage = usage_of(plan, day)
    rows = usage.rows
    chosen = np.flatnonzero(usage.is_true & (rows.run > 0))
    after = _is_after(plan, day, rows.end[chosen])
    keys = np.stack([rows.run[chosen], rows.source[chosen], after.astype(np.int64)], axis=1)
    found, index = np.unique(keys, axis=0, return_inverse=True)
    sums = np.zeros(len(found), dtype=np.int64)
    np.add.at(sums, index.ravel(), rows.quantity[chosen])
    dbus: _ByRun = {}
    dollars: _ByRun = {}
    meters = usage.activity.meters
    for (run, source, later), total in zip(found.tolist(), sums.tolist(), strict=True):
        units = Decimal(total).scaleb(-QUANTITY_SCALE)
        key = (meters[source].place, run)
        sku = meters[source].entity.product.sku
        price = effective_usd(plan.parameters, sku, day + later)
        dbus[key] = dbus.get(key, Decimal(0)) + units
        if price is not None:
            dollars[key] = dollars.get(key, Decimal(0)) + units * price
    return dbus, dollars


def _money(dollars: float) -> Decimal:
    return Decimal(dollars).quantize(Decimal("0.000000001"))


def _moneys(dollars: Floats) -> pa.Array:
    return decimals(np.rint(dollars * 10**9).astype(np.int64), 9)
