"""access.outbound_network and access.inbound_network: what the network policies refused."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa

from emulator.account.columns import (
    HOUR,
    LONGEST_LAG_DAYS,
    DayRows,
    Ints,
    filled,
    lags,
    landed_on,
    midnight,
    moments,
    pick,
    structs,
    uuids,
)
from emulator.account.happenings import Happening, happenings_on
from emulator.account.people import people_of
from emulator.account.plan import ACCOUNT, Plan

OUTBOUND, INBOUND = "access.outbound_network", "access.inbound_network"
RULE_LABEL_FROM_DAY = 6
_STREAM_OUTBOUND, _STREAM_INBOUND = 70, 71
_SHARE_OF_USAGE = 0.002
_TYPES = ("DNS", "IP", "STORAGE")
_DESTINATIONS = ("pypi.example.net", "192.0.2.200", "s3.us-east-1.amazonaws.com")
_FORBIDDEN = "exfil.example.net"
_SOURCES = ("General Compute", "DBSQL", "ML Serving")
_PATHS = ("/api/2.0/clusters/list", "/api/2.1/jobs/list", "/login.html", "/sql/warehouses")
_RULES = ("office-only", "partners")
_DNS = pa.struct([("domain_name", pa.string()), ("rcode", pa.int32())])
_STORAGE = pa.struct([(n, pa.string()) for n in ("hostname", "path", "rejection_reason")])


def network_on(plan: Plan, day: int) -> dict[str, pa.Table]:
    """The refusals that become visible on a day; rules have had labels only for some time."""
    outbound = landed_on(plan, day, outbound_of)
    inbound = landed_on(plan, day, inbound_of)
    if day < RULE_LABEL_FROM_DAY:
        inbound = inbound.drop_columns(["rule_label"])
    return {OUTBOUND: outbound, INBOUND: inbound}


@functools.lru_cache(maxsize=LONGEST_LAG_DAYS + 2)
def outbound_of(plan: Plan, day: int) -> DayRows:
    """Outbound refusals of one day."""
    rng = plan.parameters.rng(_STREAM_OUTBOUND, day)
    found = happenings_on(plan, day, "denied_outbound_burst")
    normal = _normal_rows(plan, 4)
    workspace, micros, incident = _when_and_where(rng, plan, day, normal, found, (60, 200))
    rows = len(workspace)
    kind = np.where(incident >= 0, 0, rng.integers(0, len(_TYPES), rows))
    # Each day has one of each kind, so that the smallest account has them.
    kind[: len(_TYPES)] = np.arange(len(_TYPES))
    destination = np.where(incident >= 0, len(_TYPES), kind)
    names = pick([*_DESTINATIONS, _FORBIDDEN], destination)
    storage = {
        "hostname": names,
        "path": pa.repeat("/bucket/key", rows),
        "rejection_reason": pa.repeat("NOT_ALLOWED", rows),
    }
    table = filled(
        OUTBOUND,
        rows,
        {
            "account_id": ACCOUNT,
            "workspace_id": pick([w.workspace_id for w in plan.workspaces], workspace),
            "destination_type": pick(_TYPES, kind),
            "destination": names,
            "dns_event": structs(
                _DNS, {"domain_name": names, "rcode": pa.array(np.full(rows, 3))}, kind != 0
            ),
            "storage_event": structs(_STORAGE, storage, kind != 2),
            "event_time": moments(micros),
            "access_type": pick(
                ["DROP", "DRY_RUN_DENIAL"], (rng.random(rows) < 0.2).astype(np.int64)
            ),
            "event_id": uuids(rng, rows),
            "network_source_type": pick(_SOURCES, rng.integers(0, len(_SOURCES), rows)),
        },
    )
    return _day(rng, plan, day, table, micros, found, incident)


@functools.lru_cache(maxsize=LONGEST_LAG_DAYS + 2)
def inbound_of(plan: Plan, day: int) -> DayRows:
    """Inbound refusals of one day."""
    rng = plan.parameters.rng(_STREAM_INBOUND, day)
    found = happenings_on(plan, day, "denied_inbound_burst")
    normal = _normal_rows(plan, 3)
    workspace, micros, incident = _when_and_where(rng, plan, day, normal, found, (50, 150))
    rows = len(workspace)
    people = people_of(plan)
    users = people.numbers("user")
    names = [people.everyone[number].name for number in users]
    known = np.where(rng.random(rows) < 0.5, rng.integers(0, len(names), rows), -1)
    known[0] = -1
    addresses = [*(f"198.51.100.{n}" for n in range(1, 200)), "192.0.2.250"]
    address = np.where(incident >= 0, len(addresses) - 1, rng.integers(0, 199, rows))
    table = filled(
        INBOUND,
        rows,
        {
            "account_id": ACCOUNT,
            "workspace_id": pick([w.workspace_id for w in plan.workspaces], workspace),
            "event_id": uuids(rng, rows),
            "request_path": pick(_PATHS, rng.integers(0, len(_PATHS), rows)),
            "source": structs(
                pa.struct([("ip", pa.string())]),
                {"ip": pick(addresses, address)},
                np.zeros(rows, dtype=np.bool_),
            ),
            "authenticated_as": pick(names, np.where(incident >= 0, -1, known)),
            "event_time": moments(micros),
            "policy_outcome": pick(
                ["DENIED", "DRY_RUN_DENIAL"], (rng.random(rows) < 0.15).astype(np.int64)
            ),
            "rule_label": pick(_RULES, rng.integers(-1, len(_RULES), rows)),
        },
    )
    return _day(rng, plan, day, table, micros, found, incident)


def _normal_rows(plan: Plan, least: int) -> int:
    return max(least, round(plan.parameters.rows_per_day * _SHARE_OF_USAGE))


def _when_and_where(
    rng: np.random.Generator,
    plan: Plan,
    day: int,
    normal: int,
    found: list[Happening],
    burst: tuple[int, int],
) -> tuple[Ints, Ints, Ints]:
    """Workspace, moment and incident of all rows: the normal ones, then those of bursts."""
    workspace = [rng.integers(0, len(plan.workspaces), normal)]
    micros = [midnight(plan, day) + rng.integers(0, 24 * HOUR, normal)]
    incident = [np.full(normal, -1, dtype=np.int64)]
    for number, happening in enumerate(found):
        rows = burst[0] + round((burst[1] - burst[0]) * happening.factor)
        start, end = happening.window(plan, day)
        workspace.append(np.full(rows, happening.workspace.index))
        micros.append(rng.integers(start, end, rows))
        incident.append(np.full(rows, number))
    return np.concatenate(workspace), np.concatenate(micros), np.concatenate(incident)


def _day(
    rng: np.random.Generator,
    plan: Plan,
    day: int,
    table: pa.Table,
    micros: Ints,
    found: list[Happening],
    incident: Ints,
) -> DayRows:
    lag = lags(rng, micros, midnight(plan, day))
    return DayRows(table, lag, tuple(h.incident_id for h in found), incident)
