"""What happens to a row between bronze and silver; plain functions of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from health_monitor.spec.kinds import Silver

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

NEW_STATES = ("insert", "update_postimage")
# What bronze could not fit into the declared types is in no column of the row.
FITS = {"fits_its_columns": "rescued_data IS NULL"}
FEED_COLUMNS = ("_change_type", "_commit_version", "_commit_timestamp")


def arriving(changes: DataFrame) -> DataFrame:
    """The new states in a change feed. What leaves a source is history, not deleted."""
    from pyspark.sql import functions as F

    return changes.where(F.col("_change_type").isin(*NEW_STATES)).drop(*FEED_COLUMNS)


def checked_columns(rows: DataFrame, definition: Silver) -> DataFrame:
    """The rows with the columns that silver adds."""
    from pyspark.sql import functions as F

    added = {
        name: F.expr(column.expression).cast(column.type)
        for name, column in definition.columns.items()
    }
    return rows.withColumns(added) if added else rows


def drop_rules(definition: Silver) -> dict[str, str]:
    """The rules that decide whether a row is set aside: its table's, and one of all tables."""
    return {**definition.expectations.drop, **FITS}


def rules(definition: Silver) -> dict[str, str]:
    """The level of every rule."""
    expectations = definition.expectations
    return {
        **dict.fromkeys(expectations.warn, "warn"),
        **dict.fromkeys(drop_rules(definition), "drop"),
        **dict.fromkeys(expectations.fail, "fail"),
    }


def batch_of(ingested_at: str) -> Column:
    """The name of the ingestion run that brought a row."""
    from pyspark.sql import functions as F

    return F.date_format(ingested_at, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS")


def broken_rules(definition: Silver) -> Column:
    """The names of the drop rules that a row breaks; a rule that is NULL is broken."""
    from pyspark.sql import functions as F

    found = [
        F.when(~F.coalesce(F.expr(f"({condition})").cast("boolean"), F.lit(False)), F.lit(name))
        for name, condition in drop_rules(definition).items()
    ]
    return F.filter(F.array(*found), lambda rule: rule.isNotNull())


def quarantined(rows: DataFrame, definition: Silver) -> DataFrame:
    """The rows that break a rule: as they came, with the rules, when, and of which batch."""
    from pyspark.sql import functions as F

    checked = rows.select(
        F.to_json(F.struct("*")).alias("record"),
        broken_rules(definition).alias("broken_rules"),
        F.current_timestamp().alias("quarantined_at"),
        batch_of("ingested_at").alias("batch"),
    )
    return checked.where(F.size("broken_rules") > 0)
