"""Catalogs, schemas, volumes: USE CATALOG, CREATE and DROP VOLUME, owners, optimization."""

from __future__ import annotations

from collections.abc import Callable

from emulator.sql.clauses.tags import securable
from emulator.sql.errors import SqlError, not_supported
from emulator.sql.names import check_catalog
from emulator.sql.patterns import Match
from emulator.sql.plan import Context, Plan, Rows, fully_removed, require_end
from emulator.sql.records import Catalog, Function, Schema, Table, Volume
from emulator.sql.records import Record as Securable

_KINDS: dict[str, type[Securable]] = {
    "catalog": Catalog,
    "schema": Schema,
    "table": Table,
    "function": Function,
    "volume": Volume,
}


def use_catalog(match: Match, context: Context) -> Plan:
    """Databricks also goes to the catalog's default schema."""
    require_end(match.statement, match.end)
    catalog = check_catalog(match.column)
    return Plan(sql=[f"USE {catalog}.default"])


def create_volume(match: Match, context: Context) -> Plan:
    """CREATE [EXTERNAL] VOLUME [IF NOT EXISTS] <name> [COMMENT '...']"""
    statement = match.statement
    if "EXTERNAL" in match.options or statement.word(match.end) == "LOCATION":
        raise not_supported("An external volume")
    name = context.name(match.name)
    context.existing_schema([name.catalog, name.schema])
    comment = None
    index = match.end
    if statement.word(index) == "COMMENT":
        comment, index = statement.string(index + 1)
    require_end(statement, index)
    if context.catalog.volume(name.full) is not None:
        if "IF NOT EXISTS" in match.options:
            return fully_removed(statement)
        message = f"Volume {name.full} already exists."
        raise SqlError("VOLUME_ALREADY_EXISTS", message, "42710")
    volume = Volume(
        catalog_name=name.catalog, schema_name=name.schema, name=name.name, comment=comment
    )
    return fully_removed(statement, lambda store: store.create_volume(volume))


def drop_volume(match: Match, context: Context) -> Plan:
    require_end(match.statement, match.end)
    name = context.name(match.name).full
    if context.catalog.volume(name) is None:
        if "IF EXISTS" in match.options:
            return fully_removed(match.statement)
        raise SqlError("VOLUME_NOT_FOUND", f"Volume {name} does not exist.", "42704")
    return fully_removed(match.statement, lambda store: store.drop_volume(name))


def show_volumes(match: Match, context: Context) -> Plan:
    statement, index = match.statement, match.end
    schema = [context.namespace().schema]
    if statement.word(index) in ("IN", "FROM"):
        schema, index = statement.name(index + 1)
    require_end(statement, index)
    full_name = context.existing_schema(schema)
    volumes = context.catalog.all(Volume, full_name)
    rows = [(volume.schema_name, volume.name) for volume in volumes]
    return Plan(rows=Rows(("database", "volume_name"), rows))


def set_owner(match: Match, context: Context) -> Plan:
    """ALTER <kind> <name> [SET] OWNER TO <principal>"""
    statement = match.statement
    kind, name = securable(match.words[0], match.name, context)
    require_end(statement, match.end)
    owner = match.column

    def change(record: Securable) -> None:
        record.owner = owner

    return fully_removed(statement, lambda store: store.update(_KINDS[kind], name, change))


def predictive_optimization(match: Match, context: Context) -> Plan:
    """ALTER CATALOG|SCHEMA|TABLE <name> ENABLE|DISABLE|INHERIT PREDICTIVE OPTIMIZATION"""
    statement = match.statement
    kind, name = securable(match.words[0], match.name, context)
    require_end(statement, match.end)
    value = match.words[1]

    def change(record: Securable) -> None:
        record.predictive_optimization = value

    return fully_removed(statement, lambda store: store.update(_KINDS[kind], name, change))


def cluster_by(match: Match, context: Context) -> Plan:
    """ALTER TABLE <name> CLUSTER BY AUTO is kept here; columns and NONE are Spark's."""
    from emulator.sql.clauses.create_table import set_clustering

    statement = match.statement
    table = context.table(match.name)
    if statement.word(match.end) == "AUTO":
        require_end(statement, match.end + 1)
        return fully_removed(statement, set_clustering(table.full_name, ["AUTO"]))
    columns: list[str] = []
    if statement.word(match.end) == "(":
        columns, _ = statement.names_in_brackets(match.end)
    return Plan(
        sql=[statement.text],
        touched=[("table", table.full_name)],
        records=[set_clustering(table.full_name, columns)],
    )


def refuse(what: str) -> Callable[[Match, Context], Plan]:
    """A statement of Databricks that this emulator does not have."""

    def refused(match: Match, context: Context) -> Plan:
        raise not_supported(what)

    return refused


def create_catalog(match: Match, context: Context) -> Plan:
    check_catalog(match.column)
    if "IF NOT EXISTS" in match.options:
        return fully_removed(match.statement)
    raise SqlError("CATALOG_ALREADY_EXISTS", f"Catalog {match.column} already exists.", "42710")
