"""The silver pipeline: streaming tables, their rules, and a quarantine beside each.

The pipeline's notebook calls ``define``; nothing here runs outside a pipeline update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from health_monitor.ddl import BASE_PROPERTIES
from health_monitor.runtime import full_name
from health_monitor.silver.rows import arriving, checked_columns, drop_rules, quarantined
from health_monitor.spec import Definitions
from health_monitor.spec.kinds import Silver

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NO_CHANGE = ("ingested_at", "row_key", "rescued_data")


def define(spark: SparkSession, definitions: Definitions, catalog: str) -> None:
    """Declare every silver table of the definitions to the pipeline that is running."""
    for definition in definitions.silver.values():
        _define(spark, definition, full_name(catalog, f"bronze.{definition.reads}"))


def _define(spark: SparkSession, definition: Silver, source: str) -> None:
    """One silver table and its quarantine; both read the same rows."""
    from pyspark import pipelines as dp

    def rows() -> DataFrame:
        return checked_columns(_increment(spark, definition, source), definition)

    def broken() -> DataFrame:
        return quarantined(rows(), definition)

    name = definition.table.removeprefix("silver.")
    rules = definition.expectations
    dp.create_streaming_table(
        name=name,
        comment=definition.comment,
        table_properties=BASE_PROPERTIES,
        cluster_by_auto=True,
        expect_all=dict(rules.warn),
        expect_all_or_drop=drop_rules(definition),
        expect_all_or_fail=dict(rules.fail),
    )
    if definition.keeps == "rows":
        dp.append_flow(target=name, name=name)(rows)
    else:
        dp.temporary_view(name=f"{name}__arriving")(rows)
        dp.create_auto_cdc_flow(target=name, source=f"{name}__arriving", **_changes(definition))
    dp.table(
        name=definition.quarantine.removeprefix("silver."),
        comment=(
            f"Rows of {definition.reads} that broke a rule. Technical: the row as JSON, the rules, "
            f"and when; none of them is in {name}."
        ),
        table_properties=BASE_PROPERTIES,
        cluster_by_auto=True,
    )(broken)


def _changes(definition: Silver) -> dict[str, Any]:
    """How AUTO CDC keeps the table; when and as what a row was read is no change."""
    settings: dict[str, Any] = {
        "keys": definition.key,
        "sequence_by": definition.sequence_by,
        "stored_as_scd_type": 1,
    }
    if definition.keeps == "history":
        untracked = [*NO_CHANGE, *definition.untracked, str(definition.sequence_by)]
        settings |= {"stored_as_scd_type": 2, "track_history_except_column_list": untracked}
    return settings


def _increment(spark: SparkSession, definition: Silver, source: str) -> DataFrame:
    """New rows of bronze; of tables whose rows change, the new state of what changed."""
    stream = spark.readStream
    if definition.keeps == "rows":
        return stream.option("skipChangeCommits", "true").table(source)
    return arriving(stream.option("readChangeFeed", "true").table(source))
