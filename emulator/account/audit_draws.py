"""The rows of access.audit as numbers: who did what to which thing, when, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from emulator.account.audit_actions import Action, action_number, actions, normal_weights
from emulator.account.audit_moments import occasions_of
from emulator.account.audit_things import families_of
from emulator.account.columns import HOUR, Bools, Floats, Ints, is_weekend, midnight, share_out
from emulator.account.happenings import Happening
from emulator.account.people import people_of
from emulator.account.plan import Plan

AUDIT_SHARE = 0.3  # of the billing rows
FOREIGN_ADDRESSES = tuple(f"192.0.2.{number}" for number in range(1, 255))
_STREAM_INCIDENT = 69
_ROTATION_DAYS = 7
_WEEKEND_SHARE, _WEEKDAY_SHARE = 0.35, 1.26
_DORMANT_UNTIL_DAY = 2


@dataclass(frozen=True)
class Draws:
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


def draws_of(rng: np.random.Generator, plan: Plan, day: int, found: list[Happening]) -> Draws:
    """All rows of a day: the normal ones, then what each happening leaves."""
    parts = [_normal(rng, plan, day)]
    if day < _DORMANT_UNTIL_DAY:
        parts.append(_last_signs(plan, day))
    for number, happening in enumerate(found):
        own = plan.parameters.rng(_STREAM_INCIDENT, *happening.seed, day)
        parts += [_traces(own, plan, day, happening, number, spec) for spec in happening.audit]
    return _concatenate(parts)


def _normal(rng: np.random.Generator, plan: Plan, day: int) -> Draws:
    share = AUDIT_SHARE * (_WEEKEND_SHARE if is_weekend(plan, day) else _WEEKDAY_SHARE)
    rows = max(1, round(plan.parameters.rows_per_day * share))
    counts = share_out(rows, normal_weights())
    sure = [what for what in actions() if what.weight and _is_sure(what, day)]
    for what in sure:
        counts[what.number] = max(counts[what.number], 1)
    for what in actions():
        if what.moment is not None:
            available = len(occasions_of(plan, day, what.moment))
            counts[what.number] = min(counts[what.number], available)
    action = np.repeat(np.arange(len(counts)), counts)
    draws = _drawn(rng, plan, day, action)
    # Whatever can fail does so at least once a week.
    failing = [int((action == what.number).argmax()) for what in sure if what.failed[0]]
    for row in failing:
        draws.status[row] = actions()[action[row]].failed[1]
        draws.error[row] = action[row]
    return draws


def _is_sure(action: Action, day: int) -> bool:
    """Each week has all actions, and each day its runs and clusters, however small it is."""
    return action.moment is not None or action.number % _ROTATION_DAYS == day % _ROTATION_DAYS


def _drawn(rng: np.random.Generator, plan: Plan, day: int, action: Ints) -> Draws:
    """Somebody, something and some moment for each row, as its action asks for."""
    rows = len(action)
    families = families_of(plan)
    workspace = rng.choice(len(plan.workspaces), rows, p=_workspace_shares(plan))
    things = {
        name: family.draw(rng, workspace, day)
        for name, family in families.items()
        if name not in ("self", "workspace", "metastore", "run")
    }
    actor = np.zeros(rows, dtype=np.int64)
    micros = np.zeros(rows, dtype=np.int64)
    things["run"] = np.zeros(rows, dtype=np.int64)
    for what in actions():
        own = np.flatnonzero(action == what.number)
        if not len(own):
            continue
        micros[own] = _times(rng, what.hours, len(own)) + midnight(plan, day)
        if what.moment is not None:
            occasions = occasions_of(plan, day, what.moment)
            workspace[own] = occasions.workspace[: len(own)]
            micros[own] = occasions.micros[: len(own)]
            things["run"][own] = occasions.run[: len(own)]
            things[occasions.family][own] = occasions.thing[: len(own)]
        actor[own] = _actors(rng, plan, what, things, own)
    things |= {"self": actor, "workspace": workspace, "metastore": np.zeros_like(action)}
    share = np.array([what.failed[0] for what in actions()])[action]
    status = np.array([what.failed[1] for what in actions()])[action]
    failed = rng.random(rows) < share
    return Draws(
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


def _last_signs(plan: Plan, day: int) -> Draws:
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
) -> Draws:
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
    fails = "status" in spec
    return _changed(
        draws,
        actor=actor,
        address=address,
        micros=rng.integers(start, end, rows),
        status=np.full(rows, spec.get("status", 200)),
        error=action if fails else np.full(rows, -1),
        incident=np.full(rows, number),
        things=things,
    )


def _changed(draws: Draws, *, things: dict[str, Ints], **columns: Ints) -> Draws:
    kept = {field.name: getattr(draws, field.name) for field in fields(draws)}
    return Draws(**{**kept, **columns, "things": {**draws.things, **things}})


def _concatenate(parts: list[Draws]) -> Draws:
    names = [field.name for field in fields(Draws) if field.name != "things"]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    things = {
        name: np.concatenate([part.things[name] for part in parts]) for name in parts[0].things
    }
    return Draws(**columns, things=things)


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
    return 2 * len(people_of(plan).everyone) + (period * 31 + place) % len(FOREIGN_ADDRESSES)


def _workspace_shares(plan: Plan) -> Floats:
    parts = 1.0 / np.arange(1, len(plan.workspaces) + 1)
    shares: Floats = parts / parts.sum()
    return shares
