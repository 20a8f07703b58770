"""The dialect on real Spark: few statements, many checks."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from emulator.sql.catalog_store import CatalogStore
from emulator.sql.errors import SqlError
from emulator.sql.session import Namespace, execute, install, refresh_table, sync

pytestmark = pytest.mark.spark

FACT = "spark_catalog.sql_room.fact"


@pytest.fixture
def catalog(tmp_path: Path) -> CatalogStore:
    return CatalogStore(tmp_path / "catalog.db")


@pytest.fixture
def schema(spark: Any, catalog: CatalogStore) -> Any:
    """An empty schema sql_room; the session speaks the dialect."""
    install(spark, catalog)
    spark.sql("DROP SCHEMA IF EXISTS sql_room CASCADE")
    spark.sql("CREATE SCHEMA sql_room COMMENT 'test'")
    yield spark
    spark.sql("DROP SCHEMA sql_room CASCADE")


def rows(frame: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in frame.collect()]


def test_ddl_of_databricks_lands_in_spark_and_in_information_schema(
    schema: Any, catalog: CatalogStore
) -> None:
    spark = schema
    spark.sql(
        """CREATE TABLE sql_room.dim (ws STRING COMMENT 'which', name STRING,
             CONSTRAINT dim_pk PRIMARY KEY (ws) NOT ENFORCED RELY) COMMENT 'places'
           CLUSTER BY AUTO TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"""
    )
    execute(
        spark,
        "CREATE OR REPLACE TABLE IDENTIFIER(:catalog || '.sql_room.fact') "
        "(day DATE NOT NULL, ws STRING REFERENCES sql_room.dim, cost DECIMAL(18, 2), "
        "PRIMARY KEY (day))",
        catalog=catalog,
        args={"catalog": "spark_catalog"},
        current=Namespace(schema="sql_room"),
    )
    result = spark.sql("ALTER TABLE fact SET TAGS ('domain' = 'cost')")
    assert (result.columns, rows(result)) == ([], [])
    spark.sql("COMMENT ON COLUMN fact.cost IS 'it''s money'")
    spark.sql(
        "CREATE FUNCTION top(n INT DEFAULT 3 COMMENT 'how many') "
        "RETURNS TABLE (ws STRING COMMENT 'which', cost DECIMAL(18, 2)) COMMENT 'the largest' "
        "RETURN SELECT ws, cost FROM sql_room.fact WHERE n > 0"
    )
    keys = "SELECT constraint_name, table_name FROM information_schema.table_constraints"
    assert rows(spark.sql(f"{keys} ORDER BY 1")) == [
        ("dim_pk", "dim"),
        ("fact_dim_fk", "fact"),
        ("fact_pk", "fact"),
    ]
    about = (
        "SELECT column_name, data_type, is_nullable, comment FROM "
        "spark_catalog.information_schema.columns "
        "WHERE table_schema = 'sql_room' AND table_name = :name ORDER BY 1"
    )
    assert rows(spark.sql(about, args={"name": "fact"})) == [
        ("cost", "DECIMAL", "YES", "it's money"),
        ("day", "DATE", "NO", None),
        ("ws", "STRING", "YES", None),
    ]
    dim = catalog.table("spark_catalog.sql_room.dim")
    top = catalog.function("spark_catalog.sql_room.top")
    assert dim is not None
    assert top is not None
    assert (dim.comment, dim.cluster_by) == ("places", ["AUTO"])
    assert dim.properties["delta.enableChangeDataFeed"] == "true"
    assert (top.comment, top.data_type) == ("the largest", "TABLE")
    parameter = top.parameters[0]
    assert (parameter.name, parameter.default, parameter.comment) == ("n", "3", "how many")
    assert [c.comment for c in top.return_columns] == ["which", None]
    statements = [entry.statement for entry in catalog.log.all()]
    assert any("CLUSTER BY AUTO" in statement for statement in statements)
    assert any("SET TAGS" in statement for statement in statements)
    spark.sql("DROP TABLE dim")
    assert catalog.table("spark_catalog.sql_room.dim") is None
    assert [key.name for key in catalog.constraints.all()] == ["fact_pk"]


def test_the_history_of_a_table_called_history(schema: Any) -> None:
    schema.sql("CREATE TABLE sql_room.history (detail INT)")
    assert schema.sql("DESCRIBE HISTORY sql_room.history LIMIT 1").collect()[0]["version"] == 0
    assert schema.sql("DESCRIBE DETAIL sql_room.history").collect()[0]["numFiles"] == 0


def test_a_failed_statement_records_nothing(schema: Any, catalog: CatalogStore) -> None:
    with pytest.raises(Exception, match="PARSE_SYNTAX_ERROR"):
        schema.sql("CREATE TABLE sql_room.t (id INT, PRIMARY KEY (id)) NONSENSE")
    assert catalog.constraints.all() == []
    assert catalog.log.all() == []
    assert catalog.table("spark_catalog.sql_room.t") is None


def test_tables_that_dataframes_write_are_seen(schema: Any, catalog: CatalogStore) -> None:
    spark = schema
    frame = spark.createDataFrame([(1, "a")], "id int, name string")
    frame.write.saveAsTable(FACT)
    table = refresh_table(spark, catalog, FACT)
    assert table is not None
    assert [column.name for column in table.columns] == ["id", "name"]
    changed = spark.sql("SELECT *, 2 AS more FROM {frame}", frame=frame)
    changed.write.mode("append").option("mergeSchema", "true").saveAsTable(FACT)
    spark.sql("CREATE VIEW sql_room.v AS SELECT id FROM sql_room.fact")
    count = "SELECT table_name, count(*) FROM information_schema.columns WHERE table_schema = "
    assert rows(spark.sql(f"{count} 'sql_room' GROUP BY 1 ORDER BY 1")) == [("fact", 3), ("v", 1)]
    with pytest.raises(SqlError, match="PRIMARY_KEY_COLUMN_NULLABLE"):
        spark.sql(f"ALTER TABLE {FACT} ADD CONSTRAINT k PRIMARY KEY (more)")
    version = catalog.table(FACT)
    spark.sql(f"INSERT INTO {FACT} VALUES (2, 'b', 3)")
    sync(spark, catalog, ["sql_room"])
    assert catalog.table(FACT) == version


def test_a_metric_view_gives_the_figures_of_plain_sql(schema: Any, catalog: CatalogStore) -> None:
    spark = schema
    facts = [
        (date(2026, 1, 1), "a", Decimal(10), True),
        (date(2026, 1, 1), "b", Decimal(5), False),
        (date(2026, 1, 2), "a", Decimal(1), True),
        (date(2026, 1, 2), "c", Decimal(2), False),
        (date(2026, 1, 3), "a", Decimal(-3), None),
        (date(2026, 2, 1), "a", Decimal(100), True),
    ]
    spark.createDataFrame(
        facts, "day date, ws string, cost decimal(18,2), tagged boolean"
    ).write.saveAsTable(FACT)
    places = [("a", "Alpha", 1), ("a", "Alpha", 1), ("b", "Beta", 2)]
    spark.createDataFrame(places, "ws string, name string, region int").write.saveAsTable(
        "sql_room.dim"
    )
    create = """CREATE OR REPLACE VIEW sql_room.mv WITH METRICS LANGUAGE YAML AS $$
version: 1.1
comment: What it cost
source: sql_room.fact
filter: day < DATE '2026-02-01'
joins:
  - name: place
    source: sql_room.dim
    on: source.ws = place.ws
    joins:
      - name: region
        source: SELECT id AS region, label FROM VALUES (1, 'eu'), (2, 'us') AS r(id, label)
        using: [region]
dimensions:
  - {name: day, expr: source.day}
  - {name: Place Name, expr: "coalesce(place.name, 'unknown')", comment: Where}
  - {name: label, expr: "`Place Name` || '/' || coalesce(place.region.label, '-')"}
measures:
  - {name: total, expr: SUM(cost)}
  - {name: days, expr: COUNT(DISTINCT day)}
  - {name: cost_per_day, expr: "MEASURE(total) / NULLIF(MEASURE(days), 0)"}
  - {name: tagged_share, expr: SUM(cost) FILTER (WHERE tagged) / SUM(cost)}
$$"""
    spark.sql(create)
    measured = spark.sql(
        "SELECT label, MEASURE(total), MEASURE(cost_per_day), MEASURE(tagged_share) "
        "FROM sql_room.mv GROUP BY ALL ORDER BY label"
    )
    plain = spark.sql(
        """SELECT coalesce(d.name, 'unknown') || '/' || coalesce(d.region, '-') AS label,
             sum(cost), sum(cost) / count(DISTINCT day), sum(if(tagged, cost, NULL)) / sum(cost)
           FROM sql_room.fact f LEFT JOIN VALUES ('a', 'Alpha', 'eu'), ('b', 'Beta', 'us')
             AS d(id, name, region) ON f.ws = d.id
           WHERE day < DATE '2026-02-01' GROUP BY 1 ORDER BY 1"""
    )
    assert rows(measured) == rows(plain)
    assert [row[0] for row in rows(measured)] == ["Alpha/eu", "Beta/us", "unknown/-"]
    assert rows(spark.sql("SELECT MEASURE(total), MEASURE(days) FROM sql_room.mv")) == [
        (Decimal("15.00"), 3)
    ]
    having = spark.sql(
        "SELECT label, MEASURE(days) AS d FROM sql_room.mv GROUP BY ALL "
        "HAVING MEASURE(total) > 2 ORDER BY MEASURE(total) DESC"
    )
    assert rows(having) == [("Alpha/eu", 3), ("Beta/us", 1)]
    distinct = spark.sql("SELECT DISTINCT `Place Name` FROM sql_room.mv ORDER BY 1")
    assert rows(distinct) == [("Alpha",), ("Beta",), ("unknown",)]
    with pytest.raises(Exception, match="UNRESOLVED_ROUTINE"):
        spark.sql(create.replace("SUM(cost)}", "nosuch(cost)}"))
    spark.sql(create.replace("DATE '2026-02-01'", "DATE '2026-01-02'"))
    assert rows(spark.sql("SELECT MEASURE(total) FROM sql_room.mv")) == [(Decimal("15.00"),)]
    table = catalog.table("spark_catalog.sql_room.mv")
    assert table is not None
    assert (table.table_type, table.comment) == ("METRIC_VIEW", "What it cost")
    place = table.column("Place Name")
    assert place is not None
    assert place.comment == "Where"
    tables = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = "
    assert rows(spark.sql(f"{tables} 'sql_room' AND table_type LIKE '%VIEW'")) == [
        ("mv", "METRIC_VIEW")
    ]
