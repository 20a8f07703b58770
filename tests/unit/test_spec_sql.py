"""Names in SQL text: found where they are names, left alone where they are not."""

from __future__ import annotations

import sys
from subprocess import run

from health_monitor.ddl import TableShape, TableState, alterations, create_table
from health_monitor.gold.order import in_order
from health_monitor.semantic.statements import create_metric_view
from health_monitor.spec import load_definitions, qualify
from health_monitor.spec.base import Column

from tests.unit.test_spec_loading import DEFINITIONS


def test_qualify_puts_the_catalog_before_our_names_only() -> None:
    sql = """-- from gold.x
SELECT gold.a, 'gold.b', `gold`.c, other.gold.d, t.gold FROM silver.e AS gold"""
    assert (
        qualify(sql, "health-monitor") == """-- from gold.x
SELECT `health-monitor`.gold.a, 'gold.b', `health-monitor`.`gold`.c, other.gold.d, t.gold """
        "FROM `health-monitor`.silver.e AS gold"
    )


def test_spec_needs_neither_spark_nor_cdktf() -> None:
    code = (
        "import sys, health_monitor.spec; "
        "sys.exit(bool({'pyspark', 'cdktf', 'pandas', 'mlflow'} & sys.modules.keys()))"
    )
    assert run([sys.executable, "-c", code], cwd=DEFINITIONS.parent, check=False).returncode == 0


def test_gold_is_computed_after_what_it_reads() -> None:
    order = [definition.name for definition in in_order(load_definitions(DEFINITIONS).gold)]
    assert order.index("dim_pricing") < order.index("fact_usage") < order.index("summary_cost")
    assert "cost_anomaly_scores" not in order


def test_a_table_that_is_as_it_should_be_is_left_alone() -> None:
    comment = "It's a \\ key. Technical: text."
    shape = TableShape(
        "gold.t",
        "T. Technical: t.",
        [Column(name="id", type="string", comment=comment)],
        key=["id"],
        properties={"delta.enableChangeDataFeed": "true"},
    )
    assert create_table(shape, "c").splitlines() == [
        "CREATE TABLE IF NOT EXISTS c.gold.t (",
        "  id string NOT NULL COMMENT 'It\\'s a \\\\ key. Technical: text.',",
        "  CONSTRAINT t_pk PRIMARY KEY (id)",
        ")",
        "USING DELTA",
        "CLUSTER BY AUTO",
        "COMMENT 'T. Technical: t.'",
        "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
    ]
    good = TableState(
        comment=shape.comment,
        columns={"id": comment},
        required=frozenset({"id"}),
        properties={"delta.enableChangeDataFeed": "true", "other": "1"},
        constraints=frozenset({"t_pk"}),
    )
    assert alterations(shape, good, "c") == []
    bare = TableState(None, {}, frozenset(), {}, frozenset())
    assert [
        statement.split("(")[0].split("'")[0] for statement in alterations(shape, bare, "c")
    ] == [
        "ALTER TABLE c.gold.t ADD COLUMNS ",
        "ALTER TABLE c.gold.t ALTER COLUMN id SET NOT NULL",
        "ALTER TABLE c.gold.t SET TBLPROPERTIES ",
        "COMMENT ON TABLE c.gold.t IS ",
        "ALTER TABLE c.gold.t ADD CONSTRAINT t_pk PRIMARY KEY ",
    ]


def test_a_metric_view_is_deployed_as_it_was_defined() -> None:
    view = load_definitions(DEFINITIONS).metric_views["cost_analytics"]
    statement = create_metric_view(view, "main")
    assert statement.startswith("CREATE OR REPLACE VIEW main.gold.cost_analytics\nWITH METRICS")
    assert "version: '1.1'\n" in statement
    assert "source: main.gold.fact_usage\n" in statement
    assert "'on': source.workspace_id = workspace.workspace_id" in statement
    assert "MEASURE(tagged_cost) / NULLIF(MEASURE(total_cost), 0)" in statement
