"""Silver tables as the pipeline would leave them, made from source files: what gold reads in tests.

Rows pass bronze's and silver's own functions; what the pipeline does with streams is done here with
one MERGE a table that writes only what differs.
"""

from __future__ import annotations

import re
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Any

from health_monitor.bronze.shape import bronze_shape
from health_monitor.bronze.source import conformed, with_row_key
from health_monitor.silver.rows import broken_rules, checked_columns
from health_monitor.spec import Definitions
from health_monitor.spec.kinds import Bronze, Silver
from health_monitor.spec.sql import tables_of

from tests.tables.conftest import column_types

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
UNTRACKED = {"ingested_at", "row_key", "rescued_data"}
INGESTED = "TIMESTAMP'2026-01-01'"


def silver_of(definitions: Definitions, gold: set[str]) -> list[str]:
    """The short names of the silver tables that gold tables read, themselves or through others."""
    names, waiting = set(), [f"gold.{name}" for name in gold]
    while waiting:
        table = waiting.pop().split(".")
        if table[0] == "silver":
            names.add(table[1].removeprefix("silver_"))
        elif table[0] == "gold":
            waiting += tables_of(definitions.gold[table[1]].sql)
    return sorted(names)


class SilverFromFiles:
    """Silver tables in one catalog, brought up to a day of the files."""

    def __init__(
        self, spark: Any, definitions: Definitions, folder: Path, names: list[str], catalog: str
    ) -> None:
        self.spark, self.definitions, self.folder = spark, definitions, folder
        self.names, self.catalog = names, catalog

    def create(self) -> None:
        for name in self.names:
            silver = self.definitions.silver[name]
            types = column_types(self.definitions, silver.table)
            columns = ", ".join(f"`{column}` {type_}" for column, type_ in types.items())
            self.spark.sql(
                f"CREATE TABLE {self.catalog}.{silver.table} ({columns}) USING DELTA "
                "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
            )

    def bring(self, until: str) -> None:
        """All files of days up to one; files without a day in their name are always there."""
        for name in self.names:
            bronze, silver = self.definitions.bronze[name], self.definitions.silver[name]
            files = [
                str(file)
                for file in sorted((self.folder / bronze.source).glob("*.parquet"))
                if not DAY.fullmatch(file.stem) or file.stem <= until
            ]
            if files:
                self._merge(silver, self._rows(bronze, silver, files))

    def _rows(self, bronze: Bronze, silver: Silver, files: list[str]) -> Any:
        from pyspark.sql import functions as F

        if bronze.mode == "daily_snapshot":
            pictures = [self._picture(bronze, file) for file in files]
            arrived = reduce(lambda one, other: one.unionByName(other), pictures)
        else:
            arrived = self._arrived(bronze, files)
        rows = checked_columns(arrived.withColumn("ingested_at", F.expr(INGESTED)), silver)
        valid = rows.where(F.size(broken_rules(silver)) == 0)
        if silver.keeps == "history":
            valid = _versions(valid, silver)
        return valid.select(*column_types(self.definitions, silver.table))

    def _arrived(self, bronze: Bronze, files: list[str]) -> Any:
        columns = ", ".join(f"`{c.name}` {c.type}" for c in bronze_shape(bronze).columns)
        target = self.spark.createDataFrame([], columns).schema
        source = self.spark.read.option("mergeSchema", "true").parquet(*files)
        watermark = bronze.watermark if bronze.mode == "incremental_merge" else None
        newest = watermark.column if watermark else None
        return with_row_key(conformed(source, bronze, target, bronze.name), bronze.key, newest)

    def _picture(self, bronze: Bronze, file: str) -> Any:
        from pyspark.sql import functions as F

        day = F.lit(date.fromisoformat(Path(file).stem))
        return self._arrived(bronze, [file]).withColumn("snapshot_date", day)

    def _merge(self, silver: Silver, rows: Any) -> None:
        key = [*silver.key, "__START_AT"] if silver.keeps == "history" else silver.key
        on = " AND ".join(f"t.`{name}` = s.`{name}`" for name in key)
        rows.createOrReplaceTempView("arrived")
        changed = gone = ""
        if silver.keeps != "rows":
            one, other = (", ".join(f"{alias}.`{name}`" for name in rows.columns) for alias in "ts")
            differs = f"TO_JSON(STRUCT({one})) <> TO_JSON(STRUCT({other}))"
            changed = f"WHEN MATCHED AND {differs} THEN UPDATE SET *"
            gone = "WHEN NOT MATCHED BY SOURCE THEN DELETE"
        self.spark.sql(
            f"MERGE INTO {self.catalog}.{silver.table} AS t USING arrived AS s ON {on} "
            f"{changed} WHEN NOT MATCHED THEN INSERT * {gone}"
        )


def _versions(rows: Any, silver: Silver) -> Any:
    """Type 2: a version for each change of what is tracked, as last described, until the next."""
    from pyspark.sql import functions as F
    from pyspark.sql.window import Window

    sequence = str(silver.sequence_by)
    order = Window.partitionBy(*silver.key).orderBy(sequence)
    ignored = {*UNTRACKED, *silver.untracked, *silver.key, sequence}
    tracked = F.to_json(F.struct(*(F.col(c) for c in rows.columns if c not in ignored)))
    is_start = F.expr("NOT __tracked <=> __before").cast("int")
    numbered = (
        rows.withColumn("__tracked", tracked)
        .withColumn("__before", F.lag("__tracked").over(order))
        .withColumn("__version", F.sum(is_start).over(order))
    )
    version = Window.partitionBy(*silver.key, "__version")
    described = numbered.withColumn("__START_AT", F.min(sequence).over(version)).withColumn(
        "__place", F.row_number().over(version.orderBy(F.col(sequence).desc()))
    )
    following = Window.partitionBy(*silver.key).orderBy("__START_AT")
    return described.where("__place = 1").withColumn(
        "__END_AT", F.lead("__START_AT").over(following)
    )
