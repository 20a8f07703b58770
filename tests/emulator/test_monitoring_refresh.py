"""A monitor's refresh on Spark: both output tables, custom metrics, and a second refresh."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from emulator.services.monitoring import MonitorError, refresh
from emulator.services.monitoring.changes import CHANGE_FEED

pytestmark = pytest.mark.spark

DAY_AND_WEEK = ["1 day", "1 week"]
WEEKS = {"2026-10-26", "2026-11-02"}
NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)
PROFILE = (
    "window log_type logging_table_commit_version monitor_version granularity slice_key "
    "slice_value column_name count data_type num_nulls avg quantiles min max stddev num_zeros "
    "num_nan min_length max_length avg_length non_null_columns frequent_items median "
    "distinct_count percent_nan percent_null percent_zeros percent_distinct "
    "total big per_row"
)
DRIFT = (
    "window granularity monitor_version slice_key slice_value column_name data_type window_cmp "
    "drift_type count_delta avg_delta percent_null_delta percent_zeros_delta "
    "percent_distinct_delta non_null_columns_delta js_distance ks_test wasserstein_distance "
    "population_stability_index chi_squared_test tv_distance l_infinity_distance change"
)


def metric(kind: str, name: str, columns: list[str], definition: str, type_name: str) -> Any:
    field = {"metadata": {}, "name": "output", "nullable": True, "type": type_name}
    return {"type": f"CUSTOM_METRIC_TYPE_{kind}", "name": name, "input_columns": columns,
            "definition": definition, "output_data_type": json.dumps(field)}  # fmt: skip


def monitor(schema: str, **changes: Any) -> dict[str, Any]:
    return {
        "table_name": f"spark_catalog.{schema}.usage",
        "output_schema_name": f"spark_catalog.{schema}",
        "monitor_version": 3,
        "time_series": {"timestamp_col": "at", "granularities": ["1 day"]},
        "slicing_exprs": ["sku", "cost > 5"],
        "custom_metrics": [
            metric("AGGREGATE", "total", [":table"], "SUM(cost)", "decimal(20,2)"),
            metric("AGGREGATE", "big", ["cost", "n"], "SUM(INT({{input_column}} > 5))", "long"),
            metric("DERIVED", "per_row", [":table"], "total / NULLIF(count, 0)", "double"),
            metric("DRIFT", "change", [":table"],
                   "{{current_df}}.total - {{base_df}}.total", "double"),
        ],
        **changes,
    }  # fmt: skip


@pytest.fixture
def schema(spark: Any) -> str:
    name = f"monitored_{uuid.uuid4().hex[:8]}"
    spark.sql(f"CREATE DATABASE {name}")
    spark.sql(
        f"CREATE TABLE {name}.usage (at TIMESTAMP, sku STRING, cost DECIMAL(18,2), n INT, "
        "tags MAP<STRING, STRING>)"
    )
    add(spark, name, "2026-11-01", [("A", 1), ("A", 10), ("B", 3)])
    add(spark, name, "2026-11-02", [("A", 2), ("B", 20)])
    add(spark, name, "2026-11-04", [("B", 7)])
    return name


def add(spark: Any, schema: str, day: str, rows: list[tuple[str, int]]) -> None:
    values = ", ".join(
        f"(TIMESTAMP '{day} 0{number}:00:00', '{sku}', {cost}, NULL, map('k', 'v'))"
        for number, (sku, cost) in enumerate(rows)
    )
    spark.sql(f"INSERT INTO {schema}.usage VALUES {values}")


def metrics(spark: Any, done: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """The rows of both tables as text, without the version of the table that was read."""
    profiles = spark.table(done["profile_table"]).drop("logging_table_commit_version")
    frames = (profiles, spark.table(done["drift_table"]))
    texts = (frame.selectExpr("date(window.start)", "to_json(struct(*))") for frame in frames)
    found = [sorted((str(day), text) for day, text in frame.collect()) for frame in texts]
    return found[0], found[1]


def test_a_refresh_writes_profile_and_drift_and_a_second_one_replaces(
    spark: Any, schema: str
) -> None:
    done = refresh(spark, monitor(schema), now=NOW)
    assert (done["windows"], done["rows"], done["left_out"]) == (3, 6, [])
    profiles, drifts = spark.table(done["profile_table"]), spark.table(done["drift_table"])
    assert " ".join(profiles.columns) == PROFILE
    assert " ".join(drifts.columns) == DRIFT
    types = dict(profiles.dtypes)
    assert types["window"] == "struct<start:timestamp,end:timestamp>"
    assert (types["count"], types["total"], types["big"]) == ("bigint", "decimal(20,2)", "bigint")

    rows = {
        (r["window"]["start"].day, r["slice_key"], r["slice_value"], r["column_name"]): r
        for r in profiles.toArrow().to_pylist()
    }
    table = rows[1, None, None, ":table"]
    assert (table["count"], float(table["total"])) == (3, 14.0)
    assert table["per_row"] == pytest.approx(14 / 3)
    assert table["non_null_columns"] == ["at", "sku", "cost", "tags"]
    assert table["logging_table_commit_version"] == 3
    cost = rows[1, "sku", "A", "cost"]
    assert (cost["count"], cost["avg"], cost["big"], cost["total"]) == (2, 5.5, 1, None)
    assert (cost["data_type"], len(cost["quantiles"])) == ("decimal(18,2)", 1000)
    assert rows[1, "cost > 5", "true", ":table"]["count"] == 1
    assert rows[1, None, None, "n"]["num_nulls"] == 3
    assert (2, "sku", "A", "cost") in rows and (4, "sku", "A", "cost") not in rows
    assert rows[1, None, None, "at"]["min"] == datetime(2026, 11, 1, tzinfo=UTC).timestamp()

    moved = drifts.where("slice_key IS NULL").toArrow().to_pylist()
    assert {r["window"]["start"].day for r in moved} == {2}
    by_column = {r["column_name"]: r for r in moved}
    assert by_column[":table"]["change"] == 22 - 14
    assert by_column[":table"]["count_delta"] == -1
    assert by_column["cost"]["avg_delta"] == pytest.approx(11 - 14 / 3)
    assert by_column["sku"]["tv_distance"] == pytest.approx(2 / 3 - 1 / 2)
    assert by_column["sku"]["ks_test"] is None

    # A late row on the 2nd; the window of the 1st is now out of reach: kept, and compared with.
    add(spark, schema, "2026-11-02", [("A", 8)])
    add(spark, schema, "2026-12-02", [("A", 9)])
    again = refresh(spark, monitor(schema), now=datetime(2026, 12, 3, tzinfo=UTC))
    assert again["windows"] == 3
    table_rows = profiles.where("column_name = ':table' AND slice_key IS NULL")
    totals = {
        r["window"]["start"].isoformat()[5:10]: float(r["total"]) for r in table_rows.collect()
    }
    assert totals == {"11-01": 14.0, "11-02": 30.0, "11-04": 7.0, "12-02": 9.0}
    moved = drifts.where("column_name = ':table' AND slice_key IS NULL").collect()
    assert [(r["window"]["start"].day, r["change"]) for r in moved] == [(2, 30 - 14)]


def test_a_refresh_computes_what_changed_and_agrees_with_one_of_everything(
    spark: Any, schema: str
) -> None:
    spark.sql(f"ALTER TABLE {schema}.usage SET TBLPROPERTIES ('{CHANGE_FEED}' = true)")
    body = monitor(schema, time_series={"timestamp_col": "at", "granularities": DAY_AND_WEEK})
    first = refresh(spark, body, now=NOW)
    nothing = refresh(spark, body, now=NOW, seen=first["seen"])
    assert (nothing["windows"], nothing["rows"]) == (0, 0)

    # A correction on the 1st, which the 2nd is compared with; all of the 4th goes; the 6th comes.
    spark.sql(f"UPDATE {schema}.usage SET cost = cost + 1 WHERE at < '2026-11-01 00:30'")
    spark.sql(f"DELETE FROM {schema}.usage WHERE at >= '2026-11-04'")
    add(spark, schema, "2026-11-06", [("C", 5)])
    add(spark, schema, "2026-11-08", [("D", 4)])
    later = datetime(2026, 11, 7, tzinfo=UTC)
    done = refresh(spark, body, now=later, seen=first["seen"])
    # The days of the 1st and the 6th, and both weeks; nothing is left of the 4th to count.
    assert (done["windows"], done["rows"]) == (4, 6)
    found = metrics(spark, done)
    # The 8th is still to come.
    assert {day for day, *_ in found[0]} == {"2026-11-01", "2026-11-02", "2026-11-06"} | WEEKS

    for name in ("profile_table", "drift_table"):
        spark.sql(f"DROP TABLE {done[name]}")
    assert metrics(spark, refresh(spark, body, now=later)) == found


@pytest.mark.parametrize(
    "change",
    [
        "INSERT OVERWRITE {table} SELECT at, sku, cost + 1, n, tags FROM {table}",
        "ALTER TABLE {table} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = false)",
        "CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table}",
        "MERGE WITH SCHEMA EVOLUTION INTO {table} USING (SELECT 1 AS more) ON false "
        "WHEN NOT MATCHED THEN INSERT (more) VALUES (more)",
    ],
)
def test_all_is_computed_when_all_rows_changed_or_the_feed_does_not_tell(
    spark: Any, schema: str, change: str
) -> None:
    table = f"{schema}.usage"
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('{CHANGE_FEED}' = true)")
    first = refresh(spark, monitor(schema), now=NOW)
    spark.sql(change.format(table=table))
    assert refresh(spark, monitor(schema), now=NOW, seen=first["seen"])["windows"] == 3
    other = refresh(spark, monitor(schema, monitor_version=4), now=NOW, seen=first["seen"])
    assert other["windows"] == 3


def test_a_baseline_is_compared_with_every_window(spark: Any, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.base AS SELECT * FROM {schema}.usage WHERE cost > 5")
    body = monitor(schema, baseline_table_name=f"{schema}.base", slicing_exprs=[])
    done = refresh(spark, body, now=NOW)
    base = spark.table(done["profile_table"]).where("log_type = 'BASELINE'")
    row = base.where("column_name = ':table'").collect()[0]
    assert (row["count"], float(row["total"]), row["window"], row["granularity"]) == (
        3, 37.0, None, None,
    )  # fmt: skip
    changes = spark.table(done["drift_table"]).where("column_name = ':table'").collect()
    assert sorted((r["drift_type"], r["change"]) for r in changes) == [
        ("BASELINE", -30.0), ("BASELINE", -23.0), ("BASELINE", -15.0), ("CONSECUTIVE", 8.0),
    ]  # fmt: skip


def test_snapshots_models_and_wrong_columns(spark: Any, schema: str) -> None:
    wrong = monitor(schema, time_series={"timestamp_col": "when", "granularities": ["1 day"]})
    with pytest.raises(MonitorError, match="has no column when"):
        refresh(spark, wrong, now=NOW)
    log = {"timestamp_col": "at", "granularities": ["1 week"], "model_id_col": "sku",
           "prediction_col": "cost", "label_col": "n"}  # fmt: skip
    body = monitor(schema, time_series=None, inference_log=log, slicing_exprs=None)
    done = refresh(spark, body, now=NOW)
    assert done["left_out"] == ["model quality metrics of inference_log (label_col)"]
    rows = spark.table(done["profile_table"]).where("column_name = ':table'").collect()
    weeks = {(r["window"]["start"].isoformat()[:10], r["sku"]): float(r["total"]) for r in rows}
    assert weeks["2026-11-02", "*"] == 29.0
    assert weeks["2026-11-02", "B"] == 27.0
    spark.sql(f"DROP TABLE {done['profile_table']}")
    snapshot = monitor(schema, time_series=None, snapshot={}, slicing_exprs=[])
    for _ in range(2):
        done = refresh(spark, snapshot, now=NOW)
    row = spark.table(done["profile_table"]).where("column_name = ':table'").collect()[0]
    assert (row["count"], float(row["total"]), row["granularity"]) == (6, 43.0, None)
    assert done["left_out"] == ["drift between refreshes of a snapshot"]
