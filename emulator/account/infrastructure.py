"""cloud_infra_cost: what the cloud charges for the machines of clusters and warehouses."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa

from emulator.account.columns import (
    HOUR,
    DayRows,
    Ints,
    decimals,
    filled,
    midnight,
    moments,
    pick,
    structs,
    uuids,
    where,
)
from emulator.account.node_timeline import cluster_ids
from emulator.account.plan import ACCOUNT, CLOUD, Entity, Plan
from emulator.account.warehouse_events import on_seconds

NAME = "billing.cloud_infra_cost"
_STREAM_INFRASTRUCTURE = 51
_SECOND = 1_000_000
_CLOUD_ACCOUNT = "123456789012"
_KINDS = ("job", "submit", "cluster", "pipeline", "warehouse")
_MICRODOLLARS_A_SECOND = 62  # of one node


@functools.lru_cache(maxsize=4)
def infrastructure(plan: Plan, day: int) -> DayRows:
    """A cost for each classic cluster and warehouse that was on, known a day or two later."""
    rng = plan.parameters.rng(_STREAM_INFRASTRUCTURE, day)
    is_on, begin, end = on_seconds(plan, day)
    is_classic = np.array([_is_classic(entity) for entity in plan.entities])
    place = np.flatnonzero(is_classic & is_on.any(axis=1))
    size = len(place)
    seconds = np.where(is_on, end - begin, 0)[place].sum(axis=1)
    first = is_on[place].argmax(axis=1)
    last = 23 - is_on[place, ::-1].argmax(axis=1)
    zero = midnight(plan, day)
    nodes = np.array([1 + entity.size for entity in plan.entities])[place]
    price = rng.integers(_MICRODOLLARS_A_SECOND, 2 * _MICRODOLLARS_A_SECOND, size)
    columns = {
        "cloud": CLOUD,
        "record_id": uuids(rng, size),
        "account_id": ACCOUNT,
        "cloud_account_id": _CLOUD_ACCOUNT,
        "workspace_id": pick([entity.workspace_id for entity in plan.entities], place),
        "usage_start_time": moments(zero + first * HOUR + begin[place, first] * _SECOND),
        "usage_end_time": moments(zero + last * HOUR + end[place, last] * _SECOND),
        "usage_date": plan.parameters.day(day),
        "cost": decimals(seconds * nodes * price, 6),
        "currency_code": "USD",
        "usage_metadata": _metadata(plan, day, place),
    }
    return DayRows(filled(NAME, size, columns), rng.integers(1, 3, size))


def _is_classic(entity: Entity) -> bool:
    """Whether its machines stand in the customer's own cloud account."""
    product = entity.product
    if product.entity not in _KINDS or product.serverless:
        return False
    return product.entity != "warehouse" or not product.features["is_serverless"]


def _metadata(plan: Plan, day: int, place: Ints) -> pa.Array:
    is_warehouse = np.array([e.product.entity == "warehouse" for e in plan.entities])[place]
    ids = [entity.entity_id for entity in plan.entities]
    return structs(
        filled(NAME, 0, {}).schema.field("usage_metadata").type,
        {
            "cluster_id": where(~is_warehouse, pick(cluster_ids(plan, day), place)),
            "warehouse_id": where(is_warehouse, pick(ids, place)),
        },
        np.zeros(len(place), dtype=bool),
    )
