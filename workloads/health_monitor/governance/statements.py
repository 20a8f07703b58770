"""The statements that bring tags, grants and policies from what is to what is wanted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from health_monitor.governance.state import POLICY_SCHEMA, State
from health_monitor.runtime import full_name, literal
from health_monitor.spec import Definitions, Policy, qualify
from health_monitor.spec.base import DERIVED_TAGS
from health_monitor.spec.functions import parse_scalar_function
from health_monitor.spec.governance import EVERYBODY
from health_monitor.spec.granting import granted
from health_monitor.spec.sql import quoted
from health_monitor.spec.tagging import Tagged, tagged

ACCOUNT_USERS = "account users"
# How a policy that we made is known again, and whether it is still the one of its definition.
MADE_BY_US = re.compile(r" Definition: [0-9a-f]{16}\.$")


def policy_statements(
    definitions: Definitions,
    groups: Mapping[str, str],
    own_identity: str,
    state: State,
    catalog: str,
) -> Iterator[str]:
    """Functions and policies that are new or differ, then the policies that nobody wants now.

    A role without a group is an error: a policy that silently exempts nobody hides data.
    """
    for policy in definitions.policies.values():
        if policy.sql and _differs(policy, state):
            yield qualify(policy.sql, catalog).strip().rstrip(";")
    for policy in definitions.policies.values():
        statement, comment = create_policy(policy, groups, own_identity, catalog)
        if state.policies.get(policy.name) != comment:
            yield statement
    for name, comment in state.policies.items():
        if MADE_BY_US.search(comment) and name not in definitions.policies:
            yield f"DROP POLICY {quoted(name)} ON SCHEMA {_on(catalog)}"


def create_policy(
    policy: Policy, groups: Mapping[str, str], own_identity: str, catalog: str
) -> tuple[str, str]:
    """CREATE OR REPLACE POLICY, and the comment by which it is known again."""
    conditions = " AND ".join(
        f"has_tag_value({literal(key)}, {literal(value)})" for key, value in policy.column.items()
    )
    is_mask = policy.type == "column_mask"
    # What the jobs read must be whole: gold is computed from it.
    exempt = [*(groups[role] for role in policy.exempt), own_identity]
    body = [
        f"{'COLUMN MASK' if is_mask else 'ROW FILTER'} {full_name(catalog, policy.function_name)}",
        f"TO {_principals(ACCOUNT_USERS if r == EVERYBODY else groups[r] for r in policy.to)}",
        f"EXCEPT {_principals(exempt)}",
        f"FOR TABLES MATCH COLUMNS {conditions} AS matched",
        "ON COLUMN matched" if is_mask else "USING COLUMNS (matched)",
    ]
    digest = hashlib.sha256("\n".join(body).encode()).hexdigest()[:16]
    comment = f"{policy.comment} Definition: {digest}."
    head = f"CREATE OR REPLACE POLICY {quoted(policy.name)} ON SCHEMA {_on(catalog)}"
    return "\n".join([head, f"COMMENT {literal(comment)}", *body]), comment


def tag_statements(
    definitions: Definitions, owner: str, state: State, catalog: str
) -> Iterator[str]:
    """Tags of tables and columns that exist and are defined; other keys than ours stay."""
    wanted = [table for table in tagged(definitions) if table.table in state.columns]
    ours = {*DERIVED_TAGS, *_keys(wanted)}
    for table in wanted:
        alter = f"ALTER {table.type} {full_name(catalog, table.table)}"
        tags = {**table.tags, "owner": owner}
        yield from _changed(alter, tags, state.tags.get(table.table, {}), ours)
        # What a definition no longer names stays in the table, and stays hidden.
        for column in sorted(state.columns[table.table] & table.known):
            place = f"{alter} ALTER COLUMN {quoted(column)}"
            found = state.column_tags.get((table.table, column), {})
            yield from _changed(place, table.columns.get(column, {}), found, ours)


def grant_statements(
    definitions: Definitions, groups: Mapping[str, str], state: State, catalog: str
) -> Iterator[str]:
    """On gold tables our groups have what grants say and no more; other principals' stay."""
    wanted = granted(definitions, groups)
    named = set(groups.values())
    ours = {
        place: privileges
        for place, privileges in state.grants.items()
        if place[1] in named and place[0].startswith(f"{POLICY_SCHEMA}.")
    }
    for table, group in sorted({*wanted, *ours}):
        if table not in state.columns:
            continue
        privileges, held = wanted.get((table, group), frozenset()), ours.get((table, group), set())
        on = f"ON TABLE {full_name(catalog, table)}"
        if held - privileges:
            yield f"REVOKE {_words(held - privileges)} {on} FROM {_principal(group)}"
        if privileges - held:
            yield f"GRANT {_words(privileges - held)} {on} TO {_principal(group)}"


def _differs(policy: Policy, state: State) -> bool:
    function = parse_scalar_function(policy.sql)
    found = state.functions.get(policy.function_name)
    return found is None or found.split() != function.body.split()


def _changed(
    place: str, wanted: Mapping[str, str], found: Mapping[str, str], ours: set[str]
) -> Iterator[str]:
    missing = {key: value for key, value in wanted.items() if found.get(key) != value}
    if missing:
        pairs = ", ".join(f"{literal(key)} = {literal(missing[key])}" for key in sorted(missing))
        yield f"{place} SET TAGS ({pairs})"
    gone = sorted(key for key in found if key in ours and key not in wanted)
    if gone:
        yield f"{place} UNSET TAGS ({', '.join(map(literal, gone))})"


def _keys(tables: Iterable[Tagged]) -> Iterator[str]:
    for table in tables:
        yield from table.tags
        for tags in table.columns.values():
            yield from tags


def _on(catalog: str) -> str:
    return f"{quoted(catalog)}.{POLICY_SCHEMA}"


def _principals(names: Iterable[str]) -> str:
    return ", ".join(_principal(name) for name in dict.fromkeys(names))


def _principal(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _words(privileges: Iterable[str]) -> str:
    return ", ".join(privilege.replace("_", " ") for privilege in sorted(privileges))
