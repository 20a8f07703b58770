"""access.audit: the day of people, machines and the system, and the traces of what goes wrong."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

from emulator.account.audit_actions import (
    Action,
    action_number,
    actions,
    normal_weights,
    slots_of,
)
from emulator.account.audit_things import families_of
from emulator.account.columns import (
    HOUR,
    LONGEST_LAG_DAYS,
    Bools,
    DayRows,
    Floats,
    Ints,
    filled,
    is_weekend,
    lags,
    landed_on,
    midnight,
    moments,
    pick,
    share_out,
    structs,
    uuids,
    where,
)
from emulator.account.happenings import Happening, happenings_on
from emulator.account.people import SYSTEM_USER, People, people_of
from emulator.account.plan import ACCOUNT, Plan

NAME = "access.audit"
AUDIT_SHARE = 0.3  # of the billing rows
_STREAM_ROWS, _STREAM_INCIDENT = 68, 69
_ROTATION_DAYS = 7
_WEEKEND_SHARE = 0.35
_DORMANT_UNTIL_DAY = 2
_FOREIGN = tuple(f"192.0.2.{number}" for number in range(1, 255))
_RUNS_AS = ("jobs", "notebook", "unityCatalog")


@dataclass(frozen=True)
class _Draws:
    """Rows as columns of numbers; ``address`` and ``incident`` -1 mean none."""

    action: Ints
    workspace: Ints
    actor: Ints
    address: Ints
    micros: Ints
    status: Ints
    error: Ints
    incident: Ints
    things: dict[str, Ints]


def audit_on(plan: Plan, day: int) -> dict[str, pa.Table]:
    """The events that become visible on a day."""
    return {NAME: landed_on(plan, day, audit_of)}


@functools.lru_cache(maxsize=LONGEST_LAG_DAYS + 2)
def audit_of(plan: Plan, day: int) -> DayRows:
    """The events of one day; account-level ones come from several regions, some of them twice."""
    rng = plan.parameters.rng(_STREAM_ROWS, day)
    found = happenings_on(plan, day)
    parts = [_normal(rng, plan, day)]
    if day < _DORMANT_UNTIL_DAY:
        parts.append(_last_signs(plan, day))
    for number, happening in enumerate(found):
        own = plan.parameters.rng(_STREAM_INCIDENT, *happening.seed, day)
        parts += [_traces(own, plan, day, happening, number, spec) for spec in happening.audit]
    draws = _concatenate(parts)
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


def _normal(rng: np.random.Generator, plan: Plan, day: int) -> _Draws:
    share = AUDIT_SHARE * (_WEEKEND_SHARE if is_weekend(plan, day) else 1.26)
    rows = max(1, round(plan.parameters.rows_per_day * share))
    counts = share_out(rows, normal_weights())
    for what in actions():
        # Each week has all of them, however small the account is.
        if what.weight and what.number % _ROTATION_DAYS == day % _ROTATION_DAYS:
            counts[what.number] = max(counts[what.number], 1)
    action = np.repeat(np.arange(len(counts)), counts)
    return _drawn(rng, plan, day, action)


def _drawn(rng: np.random.Generator, plan: Plan, day: int, action: Ints) -> _Draws:
    """Somebody, something and some moment for each row, as its action asks for."""
    rows = len(action)
    families = families_of(plan)
    workspace = rng.choice(len(plan.workspaces), rows, p=_workspace_shares(plan))
    things = {
        name: family.draw(rng, workspace, day)
        for name, family in families.items()
        if name not in ("self", "workspace", "metastore")
    }
    actor = np.zeros(rows, dtype=np.int64)
    micros = np.zeros(rows, dtype=np.int64)
    for what in actions():
        own = np.flatnonzero(action == what.number)
        if len(own):
            actor[own] = _actors(rng, plan, what, things, own)
            micros[own] = _times(rng, what.hours, len(own)) + midnight(plan, day)
    things |= {"self": actor, "workspace": workspace, "metastore": np.zeros_like(action)}
    share = np.array([what.failed[0] for what in actions()])[action]
    status = np.array([what.failed[1] for what in actions()])[action]
    failed = rng.random(rows) < share
    return _Draws(
        action=action,
        workspace=workspace,
        actor=actor,
        address=_addresses(rng, plan, actor),
        micros=micros,
        status=np.where(failed, status, 200),
        error=np.where(failed, action, -1),
        incident=np.full(rows, -1),
        things=things,
    )


def _last_signs(plan: Plan, day: int) -> _Draws:
    """What the dormant principals did before they fell asleep."""
    rng = plan.parameters.rng(_STREAM_INCIDENT, day)
    sleepers = people_of(plan).numbers("dormant")
    action = np.full(len(sleepers), action_number("accounts.tokenLogin"))
    draws = _drawn(rng, plan, day, action)
    return _changed(draws, actor=sleepers, address=sleepers, things={"self": sleepers})


def _traces(
    rng: np.random.Generator,
    plan: Plan,
    day: int,
    happening: Happening,
    number: int,
    spec: dict[str, Any],
) -> _Draws:
    """The rows of one entry of a happening's audit list, on one of its days."""
    least, most = spec["count"]
    rows = least + round((most - least) * happening.factor)
    action = np.full(rows, action_number(spec["action"]))
    draws = _drawn(rng, plan, day, action)
    start, end = happening.window(plan, day)
    things: dict[str, Ints] = {}
    actor = draws.actor
    if happening.principal is not None:
        actor = np.full(rows, happening.principal.number)
        things["self"] = actor
    if happening.table is not None:
        things["table"] = np.full(rows, happening.table.number)
        actor = np.full(rows, people_of(plan).number_of[happening.table.creator])
    if "group" in spec:
        groups = [fields["name"] for fields in families_of(plan)["group"].fields]
        things["group"] = np.full(rows, groups.index(spec["group"]))
    address = actor
    if spec.get("address") == "foreign":
        address = np.full(rows, _foreign_address(plan, happening))
    changes: dict[str, Any] = {}
    if "status" in spec:
        changes = {"status": np.full(rows, spec["status"]), "error": action}
    else:
        changes = {"status": np.full(rows, 200), "error": np.full(rows, -1)}
    return _changed(
        draws,
        actor=actor,
        address=address,
        micros=rng.integers(start, end, rows),
        incident=np.full(rows, number),
        things=things,
        **changes,
    )


def _changed(draws: _Draws, *, things: dict[str, Ints], **columns: Ints) -> _Draws:
    kept = {field.name: getattr(draws, field.name) for field in fields(draws)}
    return _Draws(**{**kept, **columns, "things": {**draws.things, **things}})


def _concatenate(parts: list[_Draws]) -> _Draws:
    names = [field.name for field in fields(_Draws) if field.name != "things"]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    things = {
        name: np.concatenate([part.things[name] for part in parts]) for name in parts[0].things
    }
    return _Draws(**columns, things=things)


def _actors(
    rng: np.random.Generator, plan: Plan, action: Action, things: dict[str, Ints], rows: Ints
) -> Ints:
    """Who does it: the owner of the thing, or somebody of a group."""
    kind, _, family = action.actor.partition(":")
    if kind == "owner":
        owners: Ints = families_of(plan)[family].owner[things[family][rows]]
        return owners
    people = people_of(plan)
    group = people.numbers(kind)
    chosen: Ints = rng.choice(group, len(rows), p=people.weights(kind))
    return chosen


def _times(rng: np.random.Generator, hours: str, rows: int) -> Ints:
    """Microseconds of the day: around noon, around three at night, or at any time."""
    if hours == "always":
        return rng.integers(0, 24 * HOUR, rows)
    middle, spread, low, high = {"office": (12.5, 3.0, 6.0, 20.0), "night": (3.0, 2.0, 0.0, 9.0)}[
        hours
    ]
    drawn: Floats = rng.normal(middle, spread, rows)
    outside: Bools = (drawn < low) | (drawn >= high)
    drawn[outside] = rng.uniform(low, high, int(outside.sum()))
    micros: Ints = (drawn * HOUR).astype(np.int64)
    return micros


def _addresses(rng: np.random.Generator, plan: Plan, actor: Ints) -> Ints:
    """Places in the list of addresses: the office of the actor, or where else he works."""
    elsewhere = rng.random(len(actor)) < 0.2
    places: Ints = actor + elsewhere * len(people_of(plan).everyone)
    return places


def _foreign_address(plan: Plan, happening: Happening) -> int:
    period, place = happening.seed
    return 2 * len(people_of(plan).everyone) + (period * 31 + place) % len(_FOREIGN)


@functools.lru_cache(maxsize=4)
def _address_list(plan: Plan) -> pa.Array:
    people = people_of(plan).everyone
    known = [*(p.office for p in people), *(p.elsewhere for p in people), *_FOREIGN]
    return pa.array(known, pa.string())


@functools.lru_cache(maxsize=4)
def _agent_list(plan: Plan) -> pa.Array:
    """Three agents a principal; one that has fewer has them more than once."""
    people = people_of(plan).everyone
    known = [p.agents[n % len(p.agents)] if p.agents else None for p in people for n in range(3)]
    return pa.array(known, pa.string())


def _workspace_shares(plan: Plan) -> Floats:
    parts = 1.0 / np.arange(1, len(plan.workspaces) + 1)
    shares: Floats = parts / parts.sum()
    return shares


def _table(rng: np.random.Generator, plan: Plan, day: int, draws: _Draws) -> pa.Table:
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
        "user_identity": _identity(rng, people, draws.actor, names),
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


def _seen(values: pa.Array, draws: _Draws, column: str) -> pa.Array:
    """NULL where the service does not fill the column for such an action."""
    unseen = np.array([column in action.unseen for action in actions()])
    return where(~unseen[draws.action], values)


def _identity(
    rng: np.random.Generator, people: People, actor: Ints, names: pa.Array
) -> pa.StructArray:
    """The system has a subject instead of an address now and then."""
    system = actor == people.number_of[SYSTEM_USER]
    nameless = system & (rng.random(len(actor)) < 0.2)
    type_ = pa.struct([("email", pa.string()), ("subject_name", pa.string())])
    subject = pick([SYSTEM_USER], np.where(system, 0, -1))
    children = {"email": where(~nameless, names), "subject_name": subject}
    return structs(type_, children, np.zeros(len(actor), dtype=np.bool_))


def _responses(draws: _Draws) -> pa.StructArray:
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
