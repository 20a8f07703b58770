"""access.audit: the day of people, machines and the system, and the traces of what goes wrong."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa

from emulator.account.audit_actions import actions, slots_of
from emulator.account.audit_draws import FOREIGN_ADDRESSES, Draws, draws_of
from emulator.account.columns import (
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
    where,
)
from emulator.account.happenings import happenings_on
from emulator.account.people import SYSTEM_USER, people_of
from emulator.account.plan import ACCOUNT, Plan

NAME = "access.audit"
_STREAM_ROWS = 68
_RUNS_AS = ("jobs", "notebook", "unityCatalog")


def audit_on(plan: Plan, day: int) -> dict[str, pa.Table]:
    """The events that become visible on a day."""
    return {NAME: landed_on(plan, day, audit_of)}


@functools.lru_cache(maxsize=LONGEST_LAG_DAYS + 2)
def audit_of(plan: Plan, day: int) -> DayRows:
    """The events of one day; account-level ones come from several regions, some of them twice."""
    rng = plan.parameters.rng(_STREAM_ROWS, day)
    found = happenings_on(plan, day)
    draws = draws_of(rng, plan, day, found)
    table = _table(rng, plan, day, draws)
    lag = lags(rng, draws.micros, midnight(plan, day))
    levels = np.array([action.level == "account" for action in actions()])
    twice = np.flatnonzero(levels[draws.action] & (rng.random(len(lag)) < 0.5))
    again = np.minimum(lag[twice] + rng.integers(0, 2, len(twice)), LONGEST_LAG_DAYS)
    everything = np.concatenate([np.arange(len(lag)), twice])
    return DayRows(
        table.take(pa.array(everything)),
        np.concatenate([lag, again]),
        tuple(happening.incident_id for happening in found),
        draws.incident[everything],
    )


@functools.lru_cache(maxsize=4)
def _address_list(plan: Plan) -> pa.Array:
    people = people_of(plan).everyone
    known = [*(p.office for p in people), *(p.elsewhere for p in people), *FOREIGN_ADDRESSES]
    return pa.array(known, pa.string())


@functools.lru_cache(maxsize=4)
def _agent_list(plan: Plan) -> pa.Array:
    """Three agents a principal; one that has fewer has them more than once."""
    people = people_of(plan).everyone
    known = [p.agents[n % len(p.agents)] if p.agents else None for p in people for n in range(3)]
    return pa.array(known, pa.string())


def _table(rng: np.random.Generator, plan: Plan, day: int, draws: Draws) -> pa.Table:
    rows = len(draws.action)
    people = people_of(plan)
    known = actions()
    names = pick([person.name for person in people.everyone], draws.actor)
    is_user = np.array([person.kind == "user" for person in people.everyone])[draws.actor]
    is_account = np.array([action.level == "account" for action in known])[draws.action]
    workspaces = ["0", *(workspace.workspace_id for workspace in plan.workspaces)]
    agents = _agent_list(plan).take(pa.array(draws.actor * 3 + rng.integers(0, 3, rows)))
    sessions = uuids(rng, len(people.everyone)).take(pa.array(draws.actor))
    columns = {
        "account_id": ACCOUNT,
        "workspace_id": pick(workspaces, np.where(is_account, 0, draws.workspace + 1)),
        "version": "2.0",
        "event_time": moments(draws.micros),
        "event_date": plan.parameters.day(day),
        "source_ip_address": _seen(
            _address_list(plan).take(pa.array(draws.address)), draws, "source_ip_address"
        ),
        "user_agent": _seen(agents, draws, "user_agent"),
        "session_id": _seen(where(is_user, sessions), draws, "session_id"),
        "user_identity": _identity(draws, names),
        "service_name": pick([action.service for action in known], draws.action),
        "action_name": pick([action.name for action in known], draws.action),
        "request_id": uuids(rng, rows),
        "request_params": slots_of(plan).maps(rng, draws.action, draws.things),
        "response": _responses(draws),
        "audit_level": pick(["WORKSPACE_LEVEL", "ACCOUNT_LEVEL"], is_account.astype(np.int64)),
        "event_id": uuids(rng, rows),
        "identity_metadata": _run_identity(draws.action, names),
    }
    return filled(NAME, rows, columns)


def _seen(values: pa.Array, draws: Draws, column: str) -> pa.Array:
    """NULL where the service does not fill the column for such an action."""
    unseen = np.array([column in action.unseen for action in actions()])
    return where(~unseen[draws.action], values)


def _identity(draws: Draws, names: pa.Array) -> pa.StructArray:
    """The system has a subject, and for some actions no address."""
    system = names.to_numpy(zero_copy_only=False) == SYSTEM_USER
    type_ = pa.struct([("email", pa.string()), ("subject_name", pa.string())])
    subject = pick([SYSTEM_USER], np.where(system, 0, -1))
    children = {"email": _seen(names, draws, "email"), "subject_name": subject}
    return structs(type_, children, np.zeros(len(names), dtype=np.bool_))


def _responses(draws: Draws) -> pa.StructArray:
    type_ = pa.struct(
        [("status_code", pa.int32()), ("error_message", pa.string()), ("result", pa.string())]
    )
    children = {
        "status_code": pa.array(draws.status),
        "error_message": pick([action.failed[2] for action in actions()], draws.error),
    }
    return structs(type_, children, np.zeros(len(draws.action), dtype=np.bool_))


def _run_identity(action: Ints, names: pa.Array) -> pa.StructArray:
    """Who asked and with whose rights, which only some services say."""
    says = np.array([known.service in _RUNS_AS for known in actions()])[action]
    fields_ = ("run_by", "run_as", "acting_resource")
    type_ = pa.struct([(field, pa.string()) for field in fields_])
    return structs(type_, {"run_by": names, "run_as": names}, ~says)
