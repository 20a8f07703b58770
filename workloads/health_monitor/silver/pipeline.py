"""The silver pipeline: streaming tables, their rules, and a quarantine beside each.

The pipeline's notebook calls ``define``; nothing here runs outside a pipeline update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from health_monitor.runtime import full_name
from health_monitor.silver.rows import arriving, checked_columns, quarantined
from health_monitor.spec import Definitions
from health_monitor.spec.kinds import Silver

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PROPERTIES = {"delta.enableChangeDataFeed": "true"}


def define(spark: SparkSession, definitions: Definitions, catalog: str) -> None:
    """Declare every silver table of the definitions to the pipeline that is running."""
    for definition in definitions.silver.values():
        _Tables(spark, definition, full_name(catalog, f"bronze.{definition.reads}")).define()


class _Tables:
    """One silver table, its quarantine, and the view that both read."""

    def __init__(self, spark: SparkSession, definition: Silver, source: str) -> None:
        self.spark = spark
        self.definition = definition
        self.source = source
        self.name = definition.table.removeprefix("silver.")
        self.quarantine = definition.quarantine.removeprefix("silver.")

    def define(self) -> None:
        from pyspark import pipelines as dp

        rules = self.definition.expectations
        options: dict[str, Any] = {
            "name": self.name,
            "comment": self.definition.comment,
            "table_properties": PROPERTIES,
            "cluster_by_auto": True,
            "expect_all": dict(rules.warn),
            "expect_all_or_drop": dict(rules.drop),
            "expect_all_or_fail": dict(rules.fail),
        }
        dp.create_streaming_table(**options)
        if self.definition.keeps == "rows":
            dp.append_flow(target=self.name, name=self.name)(self.arriving)
        else:
            view = f"{self.name}__arriving"
            dp.temporary_view(name=view)(self.arriving)
            dp.create_auto_cdc_flow(
                target=self.name,
                source=view,
                keys=self.definition.key,
                sequence_by=str(self.definition.sequence_by),
                stored_as_scd_type=2 if self.definition.keeps == "history" else 1,
                **self._tracked(),
            )
        dp.table(
            name=self.quarantine,
            comment=(
                f"Rows of {self.source} that broke a rule. Technical: the row as JSON, the rules, "
                f"and when; none of them is in {self.name}."
            ),
            table_properties=PROPERTIES,
        )(self.quarantined)

    def _tracked(self) -> dict[str, Any]:
        """When and as what we read a row is no change of the thing that it describes."""
        if self.definition.keeps != "history":
            return {}
        return {
            "track_history_except_column_list": [
                "ingested_at",
                "row_key",
                str(self.definition.sequence_by),
            ]
        }

    def arriving(self) -> DataFrame:
        return checked_columns(self._increment(), self.definition)

    def quarantined(self) -> DataFrame:
        return quarantined(self.arriving(), self.definition)

    def _increment(self) -> DataFrame:
        """New rows of bronze; of tables whose rows change, the new state of what changed."""
        stream = self.spark.readStream
        if self.definition.keeps == "rows":
            return stream.option("skipChangeCommits", "true").table(self.source)
        return arriving(stream.option("readChangeFeed", "true").table(self.source))
