"""One entity relationship diagram a gold domain, in Mermaid: keys, and what they lead to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from health_monitor.spec import Gold
from health_monitor.spec.kinds import Feed

PAGE = """# {domain}: keys and relations

Made from `workloads/definitions/gold` by `make docs`; not to be edited. The
[catalog](../catalog.md) says what the tables are, the definitions have all of their columns; here
are keys, and what relates tables. A solid line is a foreign key. A dotted line leads to the version
of a dimension that held at the time: the same natural key, and no foreign key, since a version's
start is part of the primary key.

```mermaid
erDiagram
{body}
```
"""
VERSION = ("valid_from", "valid_to", "is_current")


@dataclass(frozen=True)
class Relation:
    """What leads from a table to another: the columns, and whether they are a foreign key."""

    table: Gold
    to: Gold
    columns: tuple[str, ...]
    is_foreign_key: bool

    @property
    def line(self) -> str:
        link = "||--o{" if self.is_foreign_key else "||..o{"
        label = ", ".join(self.columns) + ("" if self.is_foreign_key else " at its time")
        return f'  {self.to.name} {link} {self.table.name} : "{label}"'


def erd_pages(gold: dict[str, Gold]) -> dict[str, str]:
    """Domain -> its page."""
    domains = sorted({table.domain for table in gold.values()})
    return {domain: _page(domain, gold) for domain in domains}


def _page(domain: str, gold: dict[str, Gold]) -> str:
    own = sorted((t for t in gold.values() if t.domain == domain), key=lambda table: table.name)
    relations = [relation for table in own for relation in _relations(table, gold)]
    others = {r.to.name: r.to for r in relations if r.to.domain != domain}
    lines = [line for table in own for line in _entity(table, relations)]
    for name in sorted(others):
        lines += _entity(others[name], relations)
    return PAGE.format(domain=domain, body="\n".join([*lines, *(r.line for r in relations)]))


def _relations(table: Gold, gold: dict[str, Gold]) -> Iterator[Relation]:
    referred = set()
    for key in table.foreign_keys:
        referred.add(key.references)
        target = gold[key.references.removeprefix("gold.")]
        yield Relation(table, target, tuple(key.columns), True)
    joined = {f.table: tuple(f.versions.key.values()) for f in _feeds(table) if f.versions}
    for dimension in sorted(gold.values(), key=lambda other: other.name):
        natural = natural_key(dimension)
        if not natural or natural == natural_key(table) or dimension.table in referred:
            continue
        columns = joined.get(dimension.table, natural)
        if set(columns) <= table.columns.keys():
            yield Relation(table, dimension, columns, False)


def _feeds(table: Gold) -> list[Feed]:
    return table.refresh.feeds if table.refresh else []


def natural_key(table: Gold) -> tuple[str, ...]:
    """What all versions of a row of a type 2 dimension share; nothing for other tables."""
    if "valid_from" not in table.key:
        return ()
    return tuple(name for name in table.key if name != "valid_from")


def _entity(table: Gold, relations: list[Relation]) -> Iterator[str]:
    foreign = {
        name for r in relations if r.table is table and r.is_foreign_key for name in r.columns
    }
    related = {name for r in relations if r.table is table for name in r.columns}
    wanted = {*table.key, *related}
    if "valid_from" in table.key:
        wanted |= {*VERSION}
    if table.refresh is not None:
        wanted.add(table.refresh.by)
    shown = [name for name in table.columns if name in wanted] or list(table.columns)[:3]
    ordered = sorted(shown, key=lambda name: name not in table.key)
    yield f"  {table.name} {{"
    for name in ordered:
        marks = ", ".join(
            mark for mark, holds in (("PK", name in table.key), ("FK", name in foreign)) if holds
        )
        type_ = table.columns[name].type.split("(")[0].split("<")[0]
        yield f"    {type_} {name} {marks}".rstrip()
    yield "  }"
