"""Which tables a grant means, and who gets what on them."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from health_monitor.spec.governance import EACH_DOMAIN, Grant
from health_monitor.spec.loader import Definitions


def granted_tables(definitions: Definitions, grant: Grant, domain: str | None) -> list[str]:
    """The two-part names of the gold tables of a grant; of one domain, where that is given."""
    named = [
        table
        for table in definitions.gold.values()
        if fnmatchcase(table.name, grant.tables) and domain in (None, table.domain)
    ]
    found = {table.table for table in named}
    if grant.referenced:
        found |= {key.references for table in named for key in table.foreign_keys}
    return sorted(found)


def granted(
    definitions: Definitions, groups: Mapping[str, str]
) -> dict[tuple[str, str], frozenset[str]]:
    """Table and group -> privileges, for the groups (by role) that there are."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for grant in definitions.grants.values():
        for role, group in groups.items():
            domain = role.partition(".")[2] or None if grant.to == EACH_DOMAIN else None
            if grant.to != role and domain is None:
                continue
            for table in granted_tables(definitions, grant, domain):
                before = found.get((table, group), frozenset())
                found[table, group] = before | frozenset(grant.privileges)
    return found
