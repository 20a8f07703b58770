"""The session that Databricks, or whatever runs us, provides."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from health_monitor.spec.sql import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def session() -> SparkSession:
    """The session of this task, with days in UTC."""
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark


def full_name(catalog: str, table: str) -> str:
    """A two-part name below a catalog, as SQL takes it."""
    return ".".join(quoted(part) for part in (catalog, *table.split(".")))


def literal(value: str) -> str:
    """A string literal of Databricks SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextmanager
def temporary_view(spark: SparkSession, frame: DataFrame) -> Iterator[str]:
    """A name under which SQL can read a frame, for as long as it is needed."""
    name = f"rows_{uuid4().hex}"
    frame.createOrReplaceTempView(name)
    try:
        yield name
    finally:
        spark.catalog.dropTempView(name)


def said(what: str, started: float, **figures: Any) -> None:
    """One line of progress, for the log of the task."""
    details = ", ".join(f"{key} {value}" for key, value in figures.items())
    print(f"{what}: {details} ({time.monotonic() - started:.1f} s)", flush=True)


def first_row(frame: DataFrame) -> Mapping[str, Any]:
    """The single row of a result."""
    return dict(frame.collect()[0].asDict())


def row_count(spark: SparkSession, name: str) -> int:
    """How many rows a table has: a statement that engines answer without reading any."""
    return int(spark.sql(f"SELECT COUNT(*) FROM {name}").collect()[0][0])
