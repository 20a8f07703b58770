"""Who acts in the simulated account: people of the teams, service principals, the system."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from emulator.account.columns import Floats, Ints, uuid_of
from emulator.account.plan import Plan

SYSTEM_USER = "System-User"
GROUPS = ("account users", "admins", "analysts", "data-engineers", "ml-engineers", "auditors")
_FIRST = ("ana", "ben", "chen", "dana", "emil", "fay", "gus", "hana", "ivo", "jon", "kim", "lea")
_LAST = ("adler", "brandt", "costa", "diaz", "evans", "fischer", "garcia", "haas", "ito", "jensen")
_AGENTS = {
    "user": (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1.15",
        "databricks-cli/0.270.0 databricks-sdk-go/0.86.0 go/1.24 os/linux",
    ),
    "service_principal": (
        "databricks-sdk-py/0.71.0 python/3.12.3 os/linux",
        "databricks-tf-provider/1.99.0 databricks-sdk-go/0.90.0 go/1.24 terraform/1.13",
        "Apache-HttpClient/4.5.14 (Java/17.0.9)",
    ),
}
_OWNED_BY_NOBODY = ("none", "network", "storage")
_ADMINS, _DORMANT = 3, 3
_STREAM_PEOPLE, _STREAM_DORMANT = 60, 61


@dataclass(frozen=True, eq=False)
class Principal:
    """One that acts; ``name`` is an e-mail address, an application id, or the system's name.

    A new one comes with what it owns, and does nothing but run it.
    """

    number: int
    name: str
    kind: str
    office: str | None
    elsewhere: str | None
    agents: tuple[str, ...]
    weight: float
    is_admin: bool = False
    is_dormant: bool = False
    is_new: bool = False


@dataclass(frozen=True, eq=False)
class People:
    """All principals; their numbers are their places."""

    everyone: tuple[Principal, ...]
    number_of: dict[str, int]

    def numbers(self, group: str) -> Ints:
        """The places of a group: user, admin, service_principal, dormant or system."""
        return _group(self, group)[0]

    def weights(self, group: str) -> Floats:
        """How busy each of a group is, in shares of the whole."""
        return _group(self, group)[1]


@functools.lru_cache(maxsize=4)
def people_of(plan: Plan) -> People:
    """The plan's owners, the people of their teams, and principals that sleep."""
    owned = [e for e in plan.entities if e.product.entity not in _OWNED_BY_NOBODY]
    owners = sorted({entity.owner for entity in owned})
    settled = {entity.owner for entity in owned if entity.created < 0}
    mailboxes = [owner for owner in owners if "@" in owner]
    everyone: list[Principal] = []
    per_team = 4 + min(plan.parameters.rows_per_day // 1000, 16)
    for team, mailbox in enumerate(mailboxes):
        names = [mailbox, *(_person(team * per_team + place) for place in range(per_team))]
        for place, name in enumerate(names):
            is_admin = place == 1 and team < _ADMINS
            everyone.append(_user(plan, len(everyone), name, team, is_admin=is_admin))
    machines = [owner for owner in owners if "@" not in owner]
    dormant = [uuid_of(plan.parameters.rng(_STREAM_DORMANT, n)) for n in range(_DORMANT)]
    for name in (*machines, *dormant):
        is_new = name not in settled and name not in dormant
        everyone.append(_machine(len(everyone), name, is_dormant=name in dormant, is_new=is_new))
    everyone.append(Principal(len(everyone), SYSTEM_USER, "system", None, None, (), 1.0))
    return People(tuple(everyone), {p.name: p.number for p in everyone})


@functools.lru_cache(maxsize=32)
def _group(people: People, group: str) -> tuple[Ints, Floats]:
    members = [p for p in people.everyone if group in _groups_of(p)]
    weights = np.array([member.weight for member in members])
    return np.array([p.number for p in members], dtype=np.int64), weights / weights.sum()


def _user(plan: Plan, number: int, name: str, team: int, *, is_admin: bool) -> Principal:
    rng = plan.parameters.rng(_STREAM_PEOPLE, number)
    return Principal(
        number=number,
        name=name,
        kind="user",
        office=f"203.0.113.{10 + team}",
        elsewhere=f"198.18.{number // 200}.{10 + number % 200}",
        agents=_AGENTS["user"],
        weight=float(rng.lognormal(0, 0.3)),
        is_admin=is_admin,
    )


def _machine(number: int, name: str, *, is_dormant: bool, is_new: bool) -> Principal:
    address = f"10.{20 + number // 60000}.{number // 200 % 250}.{10 + number % 200}"
    return Principal(
        number=number,
        name=name,
        kind="service_principal",
        office=address,
        elsewhere=address,
        agents=(_AGENTS["service_principal"][number % 3],),
        weight=1.0,
        is_dormant=is_dormant,
        is_new=is_new,
    )


def _person(number: int) -> str:
    first = _FIRST[number % len(_FIRST)]
    last = _LAST[number // len(_FIRST) % len(_LAST)]
    again = number // (len(_FIRST) * len(_LAST))
    return f"{first}.{last}{again or ''}@example.com"


def _groups_of(principal: Principal) -> tuple[str, ...]:
    if principal.is_dormant or principal.is_new:
        return ("dormant",) if principal.is_dormant else ()
    return (principal.kind, "admin") if principal.is_admin else (principal.kind,)
