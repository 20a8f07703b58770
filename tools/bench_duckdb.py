"""The same tables by DuckDB, from the same Parquet files: a yardstick for the first load.

sqlglot translates the platform's own SQL. That proves nothing about the figures (the independent
calculations do), and it may mistranslate: so each table's rows are counted and compared with those
of the platform, and a table that DuckDB cannot compute is named.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import duckdb
import sqlglot
from health_monitor.gold.order import in_order
from health_monitor.gold.query import FIRST_DAY, with_relation
from health_monitor.silver.rows import drop_rules
from health_monitor.spec import Bronze, Definitions, Gold, Silver
from health_monitor.spec.platform import PLATFORM_TABLES
from sqlglot import exp

THREADS = 2
LAST_DAY = date(2200, 1, 1)
LOOK_BEHIND = re.compile(r"\(\?<[=!][^)]*\)")
ADDED = {"ingested_at": "timestamp", "row_key": "string", "rescued_data": "string"}
MACROS = (
    "CREATE MACRO timestamp_micros(x) AS to_timestamp(x / 1000000.0)",
    "CREATE MACRO substring_index(x, sign, n) AS split_part(x, sign, n)",
    "CREATE MACRO to_date(x) AS x::DATE",
    "CREATE MACRO unix_micros(x) AS epoch_us(x)",
)


@dataclass
class Computed:
    """What DuckDB made: seconds and rows of each table, and why it could not make the others."""

    seconds: dict[str, float] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


class DuckTables:
    """Silver and gold of a folder of system tables, in memory."""

    def __init__(self, definitions: Definitions, folder: Path, currency: str) -> None:
        self._definitions = definitions
        self._folder = folder
        self._values = {
            "currency": exp.Literal.string(currency),
            "first_day": exp.cast(exp.Literal.string(FIRST_DAY.isoformat()), "date"),
            "last_day": exp.cast(exp.Literal.string(LAST_DAY.isoformat()), "date"),
        }
        self._connection = duckdb.connect(config={"threads": THREADS})

    def compute(self) -> Computed:
        """All tables, each timed; one that fails is empty for those that read it."""
        self._connection.execute("SET TimeZone = 'UTC'")
        for schema in ("silver", "gold", "platform"):
            self._connection.execute(f"CREATE SCHEMA {schema}")
        for macro in MACROS:
            self._connection.execute(macro)
        for name, table in PLATFORM_TABLES.items():
            self._empty(name, {column: c.type for column, c in table.columns.items()})
        done = Computed()
        for silver in self._definitions.silver.values():
            self._timed(done, silver.table, partial(self._silver, silver))
        for gold in in_order(self._definitions.gold):
            self._timed(done, gold.table, partial(self._gold, gold), gold)
        self._connection.close()
        return done

    def _timed(
        self, done: Computed, table: str, make: Callable[[], None], gold: Gold | None = None
    ) -> None:
        started = time.perf_counter()
        try:
            make()
        except (duckdb.Error, sqlglot.errors.SqlglotError) as error:
            done.failed[table] = str(error).strip().splitlines()[0]
            if gold is not None:
                self._empty(table, {column: c.type for column, c in gold.columns.items()})
            return
        done.seconds[table] = time.perf_counter() - started
        count = self._connection.execute(f"SELECT COUNT(*) FROM {table}").fetchall()
        done.rows[table] = int(count[0][0])

    def _silver(self, silver: Silver) -> None:
        bronze = self._definitions.bronze[silver.reads.removeprefix("bronze_")]
        files = self._folder / bronze.source
        if not any(files.glob("*.parquet")):
            self._empty(silver.table, _types(bronze, silver))
            return
        rules = [f"COALESCE({_spark(rule)}, FALSE)" for rule in drop_rules(silver).values()]
        derived = [f"{_cast(c.expression, c.type)} AS {n}" for n, c in bronze.derived.items()]
        added = [f"{_cast(c.expression, c.type)} AS {n}" for n, c in silver.columns.items()]
        source = f"read_parquet('{files}/*.parquet', union_by_name = true)"
        here = {row[0] for row in self._connection.execute(f"DESCRIBE FROM {source}").fetchall()}
        columns = [
            f'TRY_CAST({_column(n, n in here)} AS {_type(c.type)}) AS "{n}"'
            for n, c in bronze.columns.items()
        ]
        picture = []
        if bronze.mode == "daily_snapshot":
            picture = [f"DATE'{datetime.now(UTC).date()}' AS snapshot_date"]
        self._connection.execute(
            f"CREATE TABLE {silver.table} AS WITH raw AS (SELECT * FROM {source}), "
            f"read AS (SELECT {', '.join([*columns, *derived, *picture])}, now() AS ingested_at, "
            "NULL::VARCHAR AS row_key, NULL::VARCHAR AS rescued_data FROM raw), "
            f"checked AS (SELECT {', '.join(['*', *added])} FROM read) "
            + _kept(silver, bronze, " AND ".join(rules) or "TRUE")
        )

    def _gold(self, gold: Gold) -> None:
        query = gold.sql
        if gold.rows:
            listed = f"listed_{gold.name}"
            self._listed(gold, listed)
            query = with_relation(query, "listed", listed)
        kind = "VIEW" if gold.type == "view" else "TABLE"
        self._connection.execute(f"CREATE {kind} {gold.table} AS {self._translated(query)}")

    def _listed(self, gold: Gold, name: str) -> None:
        types = {column: c.type for column, c in gold.columns.items()}
        self._empty(name, types)
        places = ", ".join("?" for _ in types)
        rows = [[row.get(column) for column in types] for row in gold.rows]
        self._connection.executemany(f"INSERT INTO {name} VALUES ({places})", rows)

    def _translated(self, query: str) -> str:
        def filled(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Placeholder) and node.name in self._values:
                return self._values[node.name].copy()
            return node

        return _duck(sqlglot.parse_one(query, read="databricks").transform(filled))

    def _empty(self, table: str, types: dict[str, str]) -> None:
        columns = ", ".join(f'NULL::{_type(kind)} AS "{name}"' for name, kind in types.items())
        self._connection.execute(f"CREATE TABLE {table} AS SELECT {columns} LIMIT 0")


def _types(bronze: Bronze, silver: Silver) -> dict[str, str]:
    """The columns of a silver table."""
    picture = {"snapshot_date": "date"} if bronze.mode == "daily_snapshot" else {}
    history = {"__START_AT": "timestamp", "__END_AT": "timestamp"}
    return {
        **{name: column.type for name, column in bronze.columns.items()},
        **{name: column.type for name, column in bronze.derived.items()},
        **picture,
        **ADDED,
        **{name: column.type for name, column in silver.columns.items()},
        **(history if silver.keeps == "history" else {}),
    }


def _kept(silver: Silver, bronze: Bronze, valid: str) -> str:
    """Each row once; of several states the newest, or a version for each change."""
    key = _names(silver.key)
    if silver.keeps == "rows":
        return f"SELECT DISTINCT ON ({key}) * FROM checked WHERE {valid}"
    order = f'"{silver.sequence_by}"'
    if silver.keeps == "latest":
        newest = f"ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {order} DESC) = 1"
        return f"SELECT * FROM checked WHERE {valid} QUALIFY {newest}"
    untracked = {*ADDED, *silver.untracked, *silver.key, str(silver.sequence_by)}
    tracked = [n for n in _types(bronze, silver) if n not in untracked and n[:2] != "__"]
    content = f"ROW({_names(tracked)})"
    by_time = f"PARTITION BY {key} ORDER BY {order}"
    return (
        f'SELECT * EXCLUDE (before), {order} AS "__START_AT", '
        f'LEAD({order}) OVER ({by_time}) AS "__END_AT" FROM ('
        f"SELECT *, LAG({content}) OVER ({by_time}) AS before FROM checked WHERE {valid} "
        f"QUALIFY before IS DISTINCT FROM {content})"
    )


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _column(name: str, is_there: bool) -> str:
    return f'"{name}"' if is_there else "NULL"


def _type(kind: str) -> str:
    return exp.DataType.build(kind, dialect="databricks").sql("duckdb")


def _spark(expression: str) -> str:
    return _duck(sqlglot.parse_one(expression, read="databricks"))


def _duck(query: exp.Expr) -> str:
    """SQL for DuckDB, with what sqlglot leaves as it is and DuckDB does not have."""
    # A transformation does not look into what it has put in: so again, until nothing is left.
    while (adapted := query.transform(_adapted)) != query:
        query = adapted
    return query.sql("duckdb")


def _adapted(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.StrToUnix):
        return exp.cast(exp.func("EPOCH", node.this), "bigint")
    if isinstance(node, exp.DayOfWeek):
        # Of Sunday 1 for Databricks, 0 for DuckDB.
        return exp.paren(exp.func("ISODOW", node.this.copy()) % 7 + 1)
    if isinstance(node, exp.Mul) and any(_is_wide(side) for side in (node.left, node.right)):
        # The product of wide decimals has no place in DuckDB's; it is rounded a little here.
        left, right = (exp.cast(side.copy(), "double") for side in (node.left, node.right))
        return exp.cast(exp.Mul(this=left, expression=right), "decimal(38, 18)")
    if isinstance(node, exp.Literal) and node.is_string and "(?<" in node.this:
        return exp.Literal.string(LOOK_BEHIND.sub("", node.this))
    return node


def _is_wide(side: exp.Expr) -> bool:
    if isinstance(side, exp.Coalesce):
        return any(_is_wide(value) for value in side.expressions)
    return isinstance(side, exp.Cast) and side.to.sql().startswith("DECIMAL(")


def _cast(expression: str, kind: str) -> str:
    return f"CAST({_spark(expression)} AS {_type(kind)})"
