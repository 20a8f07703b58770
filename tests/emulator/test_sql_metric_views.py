"""Metric views of YAML 1.1: the grammar, and what they are compiled to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from emulator.sql.errors import SqlError
from tests.emulator.sql_fakes import Workbench

GOOD = """
version: 1.1
comment: Cost's view
source: gold.fact
filter: usage_date < DATE '2026-02-01'
joins:
  - name: ws
    source: spark_catalog.gold.dim_ws
    on: source.ws_id = ws.ws_id AND is_current
    joins:
      - name: region
        source: gold.dim_region
        using: [region_id]
        rely: {at_most_one_match: true}
fields:
  - name: usage_date
    expr: date_trunc('MONTH', usage_date)
  - name: Workspace
    expr: ws.name
    synonyms: [team, place]
  - name: label
    expr: upper(workspace) || ws.region.name
measures:
  - name: cost_per_day
    expr: MEASURE(`total cost`) / NULLIF(MEASURE(days), 0)
    format: {type: currency, currency_code: USD, decimal_places: {type: exact, places: 2}}
  - name: total cost
    expr: SUM(cost)
    display_name: Total
  - name: days
    expr: COUNT(DISTINCT usage_date)
  - name: places
    expr: COUNT(DISTINCT workspace)
"""


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path)
    bench.table("fact", "usage_date date, ws_id string, cost double")
    bench.table("dim_ws", "ws_id string, name string, region_id int, is_current boolean")
    bench.table("dim_region", "region_id int, name string")
    return bench


def create(bench: Workbench, text: str, head: str = "CREATE OR REPLACE") -> list[str]:
    sql = f"{head} VIEW gold.mv WITH METRICS LANGUAGE YAML AS $$\n{text}\n$$"
    return bench.apply(sql).sql


def compiled(bench: Workbench, text: str) -> dict[str, str]:
    """The generated 0.1 document: its source, and each field's expression by name."""
    body = create(bench, text)[-1].split("$$")[1]
    document = yaml.safe_load(body)
    assert document["version"] == "0.1"
    fields = [*document["dimensions"], *document["measures"]]
    return {"source": document["source"]} | {field["name"]: field["expr"] for field in fields}


def test_expressions_take_in_the_fields_that_they_use(bench: Workbench) -> None:
    made = compiled(bench, GOOD)
    assert made["label"] == "`label`"
    assert "upper((ws.name)) || ws.region.name AS `label`" in made["source"]
    assert made["total cost"] == "SUM(cost)"
    assert made["days"] == "COUNT(DISTINCT source.`usage_date`)"
    assert made["places"] == "COUNT(DISTINCT `workspace`)"
    assert made["cost_per_day"] == (
        "(SUM(cost)) / NULLIF((COUNT(DISTINCT source.`usage_date`)), 0)"
    )


def test_joins_keep_one_match_unless_the_author_relies_on_it(bench: Workbench) -> None:
    source = compiled(bench, GOOD)["source"]
    assert "struct(`ws`.*, struct(`ws.region`.*) AS `region`) AS `ws`" in source
    assert "row_number() OVER (PARTITION BY `ws`.`ws_id` ORDER BY `ws`.__order)" in source
    assert "WHERE (`ws`.is_current)) WHERE __rank = 1) AS `ws` ON" in source
    nested = "LEFT JOIN `spark_catalog`.`gold`.`dim_region` AS `ws.region` ON"
    assert f"{nested} (`ws`.`region_id` = `ws.region`.`region_id`)" in source
    assert source.startswith("SELECT * EXCEPT (`usage_date`), date_trunc('MONTH', usage_date) AS")
    assert source.endswith("WHERE usage_date < DATE '2026-02-01')")


def test_a_relied_on_primary_key_needs_no_ranking(bench: Workbench) -> None:
    bench.table("dim_ws", "ws_id string!, name string, region_id int, is_current boolean")
    bench.apply("ALTER TABLE dim_ws ADD PRIMARY KEY (ws_id) RELY")
    assert "row_number" not in compiled(bench, GOOD)["source"]


def test_the_catalog_keeps_what_spark_has_no_place_for(bench: Workbench) -> None:
    create(bench, GOOD)
    view = bench.catalog.metric_view("spark_catalog.gold.mv")
    assert view is not None
    assert view.yaml == GOOD.strip("\n") + "\n"
    assert [(f.name, f.role) for f in view.fields][2:4] == [
        ("label", "dimension"),
        ("cost_per_day", "measure"),
    ]
    cost = view.find("COST_PER_DAY")
    workspace = view.find("workspace")
    assert cost is not None
    assert workspace is not None
    assert cost.format is not None
    assert cost.format["decimal_places"] == {"type": "exact", "places": 2}
    assert workspace.synonyms == ["team", "place"]
    assert bench.catalog.log.all()[-1].clauses == (
        "version: 1.1",
        "synonyms of Workspace",
        "format of cost_per_day",
        "display_name of total cost",
    )


def test_a_replacement_is_tried_under_another_name_first(bench: Workbench) -> None:
    assert len(create(bench, GOOD)) == 1
    bench.table("mv", "a int", table_type="METRIC_VIEW")
    words = [sql.split(" VIEW ")[0] for sql in create(bench, GOOD)]
    assert words == ["DROP", "CREATE", "DROP", "DROP", "CREATE"]
    assert "COMMENT 'Cost\\'s view' AS $$" in create(bench, GOOD)[-1]
    with pytest.raises(SqlError, match="TABLE_OR_VIEW_ALREADY_EXISTS"):
        create(bench, GOOD, "CREATE")


MINIMAL = "version: 1.1\nsource: gold.fact\nmeasures:\n  - {name: c, expr: SUM(cost)}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (MINIMAL.replace("1.1", "2.0"), "version: Input should be '0.1' or '1.1'"),
        (MINIMAL + "owner: me\n", "owner: Extra inputs are not permitted"),
        ("version: 1.1\nsource: gold.fact\n", "at least one dimension or measure"),
        (MINIMAL.replace("gold.fact", "gold.nope"), "TABLE_OR_VIEW_NOT_FOUND"),
        (MINIMAL.replace("gold.fact", "main.gold.fact"), "NO_SUCH_CATALOG_EXCEPTION"),
        (MINIMAL.replace("SUM(cost)", "SUM(cost), format: {type: percent}"), "percentage"),
        (MINIMAL.replace("SUM(cost)", "MEASURE(nope)"), "`nope`, which is unknown"),
        (MINIMAL.replace("SUM(cost)", "MEASURE(c) + 1"), "`c` refers to itself"),
        (MINIMAL.replace("SUM(cost)", "MEASURE(c + 1)"), "MEASURE takes the name"),
        (MINIMAL + "  - {name: C, expr: SUM(cost)}\n", "the name `C` is used twice"),
        (MINIMAL + "  - {name: d, expr: 1, window: []}\n", "window of measure `d` is not"),
        (MINIMAL + "parameters: []\n", "`parameters` of a metric view is not supported"),
        (MINIMAL + "joins: [{name: j, source: gold.dim_ws}]\n", "either `on` or `using`"),
        (
            MINIMAL + "joins: [{name: j, source: gold.dim_ws, on: source.ws_id > j.ws_id}]\n",
            "no plain equality",
        ),
        (
            MINIMAL
            + "joins:\n"
            + "  - {name: a, source: gold.dim_ws, on: source.ws_id = a.ws_id}\n"
            + "  - {name: b, source: gold.dim_region, on: a.region_id = b.region_id}\n",
            "nest the join instead",
        ),
        (
            MINIMAL + "joins: [{name: j, source: gold.dim_ws, using: [ws_id], "
            "cardinality: one_to_many}]\n",
            "one_to_many join `j` is not supported",
        ),
        ("version: 1.1\nsource: [", "METRIC_VIEW_INVALID_VIEW_DEFINITION"),
        (MINIMAL.replace("SUM(cost)", "SUM(cost + " + "1 + " * 400 + "1)"), "1024"),
    ],
)
def test_wrong_definitions_are_refused(bench: Workbench, text: str, problem: str) -> None:
    with pytest.raises(SqlError) as refused:
        create(bench, text)
    assert problem in str(refused.value)


def test_all_problems_come_at_once(bench: Workbench) -> None:
    with pytest.raises(SqlError) as refused:
        create(bench, "version: 3\nsource: gold.fact\nmeasures:\n  - {nam: c}\n")
    message = str(refused.value)
    for place in ("version", "measures.0.name", "measures.0.expr", "measures.0.nam"):
        assert f"{place}:" in message


def test_having_and_distinct_are_said_in_sparks_words(bench: Workbench) -> None:
    create(bench, GOOD)
    planned = bench.plan(
        "WITH a AS (SELECT 1) SELECT label, MEASURE(days) FROM gold.mv GROUP BY ALL "
        "HAVING MEASURE(days) > 1 AND label > 'a' ORDER BY MEASURE(`total cost`) LIMIT 3"
    )
    assert planned.sql[0] == (
        "WITH a AS (SELECT 1) SELECT * EXCEPT (__having_21_0, __having_21_1) FROM ("
        "SELECT label, MEASURE(days), MEASURE(days) AS __having_21_0, "
        "MEASURE(`total cost`) AS __having_21_1 FROM gold.mv GROUP BY ALL "
        "HAVING __having_21_0 > 1 AND label > 'a' ORDER BY __having_21_1 LIMIT 3)"
    )
    planned = bench.plan("SELECT DISTINCT label FROM gold.mv WHERE label > 'a' ORDER BY 1")
    text = " ".join(planned.sql[0].split())
    assert text == "SELECT label FROM gold.mv WHERE label > 'a' GROUP BY ALL ORDER BY 1"
    assert bench.plan("SELECT DISTINCT ws_id FROM fact").sql == ["SELECT DISTINCT ws_id FROM fact"]


@pytest.mark.parametrize(
    ("sql", "condition"),
    [
        ("SELECT * FROM gold.mv", "METRIC_VIEW_MISSING_MEASURE_FUNCTION"),
        ("SELECT label, days FROM mv GROUP BY ALL", "METRIC_VIEW_MISSING_MEASURE_FUNCTION"),
        ("SELECT MEASURE(days) FROM gold.mv m JOIN fact ON TRUE", "METRIC_VIEW_JOIN"),
        ("SELECT 1 FROM fact JOIN gold.mv ON TRUE", "METRIC_VIEW_JOIN_NOT_SUPPORTED"),
    ],
)
def test_wrong_queries_are_refused(bench: Workbench, sql: str, condition: str) -> None:
    create(bench, GOOD)
    with pytest.raises(SqlError, match=condition):
        bench.plan(sql)


def test_right_queries_pass_as_they_are(bench: Workbench) -> None:
    create(bench, GOOD)
    for sql in (
        "SELECT label, MEASURE(days) AS days FROM gold.mv GROUP BY ALL",
        "SELECT days FROM (SELECT MEASURE(days) AS days FROM gold.mv)",
        "WITH a AS (SELECT MEASURE(days) d FROM gold.mv) SELECT * FROM a JOIN fact ON TRUE",
    ):
        assert bench.plan(sql).sql == [sql]
