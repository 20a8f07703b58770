"""audit_actions.yml as arrays: weights, and for each parameter where its values stand."""

from __future__ import annotations

import functools
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

from emulator.account.audit_things import Family, families_of
from emulator.account.columns import Bools, Floats, Ints, texts
from emulator.account.plan import Plan

_FILE = Path(__file__).with_name("audit_actions.yml")


@dataclass(frozen=True)
class Action:
    """One entry of the file, and its place there."""

    number: int
    key: str
    weight: float
    actor: str
    hours: str
    params: Mapping[str, str | list[str]]
    level: str = "workspace"
    failed: tuple[float, int, str] = (0.0, 200, "")
    unseen: tuple[str, ...] = ()
    moment: str | None = None

    @property
    def service(self) -> str:
        return self.key.split(".")[0]

    @property
    def name(self) -> str:
        return self.key.split(".")[1]


@functools.cache
def actions() -> tuple[Action, ...]:
    """All actions, in the order of the file."""
    entries = yaml.safe_load(_FILE.read_text())["actions"].items()
    return tuple(Action(number=n, key=key, **entry) for n, (key, entry) in enumerate(entries))


@functools.cache
def action_number(key: str) -> int:
    """The place of an action; KeyError if the file has none of that name."""
    return {action.key: action.number for action in actions()}[key]


@dataclass(frozen=True, eq=False)
class Slots:
    """The parameters of all actions: [action, slot] -> key, first value, number, and family."""

    names: tuple[str, ...]
    keys: pa.Array
    values: pa.Array
    count: Ints
    key: Ints
    start: Ints
    length: Ints
    family: Ints

    def maps(
        self, rng: np.random.Generator, action: Ints, drawn: Mapping[str, Ints]
    ) -> pa.MapArray:
        """The request_params of rows, each filled with what the row is about.

        Runs are too many to be written into templates: theirs are the numbers themselves.
        """
        rows = np.arange(len(action))
        things = np.stack([drawn[name] for name in self.names])
        offsets = np.concatenate([[0], np.cumsum(self.count[action])])
        key = np.zeros(offsets[-1], dtype=np.int64)
        value = np.zeros(offsets[-1], dtype=np.int64)
        for slot in range(self.key.shape[1]):
            has: Bools = self.count[action] > slot
            chosen, at = action[has], offsets[:-1][has] + slot
            family = self.family[chosen, slot]
            any_ = rng.integers(0, self.length[chosen, slot])
            which = np.where(family < 0, any_, things[family, rows[has]])
            key[at] = self.key[chosen, slot]
            is_run = family == self.names.index("run")
            known = self.start[chosen, slot] + which
            value[at] = np.where(is_run, len(self.values) + rows[has], known)
        return pa.MapArray.from_arrays(
            pa.array(offsets, pa.int32()),
            self.keys.take(pa.array(key)),
            pa.concat_arrays([self.values, texts(drawn["run"])]).take(pa.array(value)),
        )


@functools.lru_cache(maxsize=4)
def slots_of(plan: Plan) -> Slots:
    """The slots of all actions, with the account's things written into their templates."""
    families = families_of(plan)
    names = tuple(families)
    known = actions()
    widest = max(len(action.params) for action in known)
    keys: dict[str, int] = {}
    values: list[str] = []
    places: dict[str, tuple[int, int, int]] = {}
    key, start, family = (np.full((len(known), widest), -1, dtype=np.int64) for _ in range(3))
    length = np.ones((len(known), widest), dtype=np.int64)
    for action in known:
        for slot, (name, template) in enumerate(action.params.items()):
            text = str(template)
            if text not in places:
                source, found = _filled(template, families)
                places[text] = (
                    len(values),
                    len(found),
                    -1 if source is None else names.index(source),
                )
                values += found
            key[action.number, slot] = keys.setdefault(name, len(keys))
            start[action.number, slot], length[action.number, slot], family[action.number, slot] = (
                places[text]
            )
    count = np.array([len(action.params) for action in known], dtype=np.int64)
    return Slots(names, pa.array(list(keys)), pa.array(values), count, key, start, length, family)


def normal_weights() -> Floats:
    """The share of each action in the normal rows."""
    weights: Floats = np.array([action.weight for action in actions()])
    return weights


def _filled(
    template: str | list[str], families: Mapping[str, Family]
) -> tuple[str | None, list[str]]:
    """The family that a template is about, and its text for each thing of it."""
    if isinstance(template, list):
        return None, [str(choice) for choice in template]
    name = _family_in(template)
    if name is None:
        return None, [template.format()]
    shape = template.replace(f"{name}.", "")
    return name, [shape.format_map(fields) for fields in families[name].fields]


def _family_in(template: str) -> str | None:
    fields = [name for _, name, _, _ in string.Formatter().parse(template) if name]
    families = {name.split(".")[0] for name in fields}
    if len(families) > 1:
        raise ValueError(f"{_FILE.name}: {template!r} is about more than one family")
    return families.pop() if families else None
