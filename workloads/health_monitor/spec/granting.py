"""Which tables a grant means, and who gets what on them."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from health_monitor.spec.governance import EACH_DOMAIN, EVERY_DOMAIN, Grant
from health_monitor.spec.loader import Definitions


def granted(
    definitions: Definitions, groups: Mapping[str, str]
) -> dict[tuple[str, str], frozenset[str]]:
    """Table and group -> privileges, for the groups (by role) that there are."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for grant in definitions.grants.values():
        for role, group in groups.items():
            domain = role.partition(".")[2]
            if grant.to != role and not (domain and grant.to in (EACH_DOMAIN, EVERY_DOMAIN)):
                continue
            own = domain if grant.to == EACH_DOMAIN else None
            for table in _tables(definitions, grant, own):
                before = found.get((table, group), frozenset())
                found[table, group] = before | frozenset(grant.privileges)
    return found


def _tables(definitions: Definitions, grant: Grant, domain: str | None) -> list[str]:
    """The two-part names of the gold tables of a grant; of one domain, where that is given."""
    return sorted(
        table.table
        for table in definitions.gold.values()
        if domain in (None, table.domain)
        and any(fnmatchcase(table.name, pattern) for pattern in grant.tables)
    )
