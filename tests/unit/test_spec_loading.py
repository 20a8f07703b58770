"""Definitions: the ones of this repository are right, and wrong ones are told all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from health_monitor.spec import DefinitionErrors, load_definitions

DEFINITIONS = Path(__file__).parents[2] / "workloads" / "definitions"
COMMENT = "'What it is. Technical: how it is made.'"
BRONZE = f"""comment: {COMMENT}
source: billing.usage
mode: append
key: [id]
columns:
  id: {{type: string, comment: {COMMENT}}}
  day: {{type: date, comment: {COMMENT}}}
"""
SILVER = f"""comment: {COMMENT}
reads: bronze_usage
keeps: rows
key: [id]
expectations:
  drop: {{has_id: id IS NOT NULL}}
"""
GOLD = f"""comment: {COMMENT}
grain: one row
key: [id]
columns:
  id: {{type: string, comment: {COMMENT}}}
"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def base(**changed: str) -> dict[str, str]:
    return {
        "bronze/billing/usage.yml": BRONZE,
        "silver/billing/usage.yml": SILVER,
        "gold/billing/fact.yml": GOLD,
        "gold/billing/fact.sql": "SELECT id FROM silver.silver_usage",
        **changed,
    }


def problems(root: Path) -> list[str]:
    with pytest.raises(DefinitionErrors) as caught:
        load_definitions(root)
    prefix = f"{root}/"
    return [str(problem).removeprefix(prefix) for problem in caught.value.problems]


def test_the_definitions_of_this_repository_are_right() -> None:
    definitions = load_definitions(DEFINITIONS)
    assert {"usage", "account_prices", "workspaces_latest"} <= definitions.bronze.keys()
    assert definitions.bronze["account_prices"].optional
    assert definitions.gold["fact_usage"].table == "gold.fact_usage"
    assert definitions.silver["usage"].quarantine == "silver.silver_usage__expectations"
    kinds = [silver.expectations for silver in definitions.silver.values()]
    assert all(any(getattr(rules, kind) for rules in kinds) for kind in ("warn", "drop", "fail"))


def test_path_is_the_identity(tmp_path: Path) -> None:
    definitions = load_definitions(write(tmp_path, base()))
    fact = definitions.gold["fact"]
    assert (fact.kind, fact.domain, fact.path) == ("gold", "billing", "gold/billing/fact.yml")
    assert fact.sql == "SELECT id FROM silver.silver_usage"


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    files = base(
        **{
            "bronze/billing/usage.yml": BRONZE.replace("mode: append", "mode: stream")
            + "colour: red\n",
            "gold/billing/other.yml": GOLD.replace("grain: one row", "name: other"),
            "gold/billing/other.sql": "SELECT id FROM silver.silver_usage",
            "gold/Billing/x.yml": GOLD,
            "reports/cost/x.yml": "a: 1",
        }
    )
    told = "\n".join(problems(write(tmp_path, files)))
    assert "bronze/billing/usage.yml:3: 'mode' is 'stream'; allowed: 'append'" in told
    assert (
        "bronze/billing/usage.yml:8: unknown key 'colour'; allowed: comment, tags, source" in told
    )
    assert "gold/billing/other.yml:2: key 'name': the path says it already" in told
    assert "gold/billing/other.yml:1: key 'grain' is missing" in told
    assert "gold/Billing/x.yml:1: domain and file name: lower case" in told
    assert "reports/cost/x.yml:1: expected <kind>/<domain>/<file>; kinds are: bronze" in told


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (
            "gold/billing/fact.sql",
            "SELECT\n  u.id\nFROM silver.silver_usge AS u",
            "gold/billing/fact.sql:3: table silver.silver_usge does not exist; there are: ",
        ),
        (
            "gold/billing/fact.sql",
            "SELECT\n  u.identifier AS id\nFROM silver.silver_usage AS u",
            "gold/billing/fact.sql:2: column identifier does not exist; there are: day, id",
        ),
        (
            "gold/billing/fact.sql",
            "SELECT id, day FROM silver.silver_usage",
            "gold/billing/fact.yml:4: gold/billing/fact.sql also gives: day",
        ),
        (
            "gold/billing/fact.sql",
            "SELECT id FROM",
            "gold/billing/fact.sql:1: not readable as SQL: ",
        ),
        (
            "silver/billing/usage.yml",
            SILVER.replace("id IS NOT NULL", "ident IS NOT NULL"),
            "silver/billing/usage.yml:6: column ident does not exist; there are: day, id",
        ),
        (
            "gold/billing/fact.yml",
            GOLD.replace(COMMENT, "no second part", 1),
            "gold/billing/fact.yml:1: 'comment': write the business meaning, then 'Technical:'",
        ),
        (
            "gold/billing/fact.yml",
            GOLD.replace("type: string", "type: strin"),
            "gold/billing/fact.yml:5: 'columns.id.type': 'strin' is no Databricks type",
        ),
        (
            "gold/billing/fact.yml",
            GOLD + "grain: again\n",
            "gold/billing/fact.yml:6: key 'grain' stands twice",
        ),
    ],
)
def test_a_reference_that_does_not_exist(
    tmp_path: Path, file: str, text: str, expected: str
) -> None:
    told = problems(write(tmp_path, base(**{file: text})))
    assert any(problem.startswith(expected) for problem in told), told


def test_a_column_that_an_alert_and_a_monitor_name_must_exist(tmp_path: Path) -> None:
    alert = f"""display_name: A
comment: {COMMENT}
severity: info
source: {{column: spend}}
operator: GREATER_THAN
threshold: {{column: limits}}
schedule: {{cron: '0 0 8 * * *', timezone: UTC}}
"""
    monitor = f"""table: gold.fact
comment: {COMMENT}
timestamp_col: day
granularities: [1 day]
slices: [workspace]
schedule: {{cron: '0 0 8 * * ?'}}
metrics:
  aggregate:
    total: {{definition: SUM(cost), comment: {COMMENT}}}
"""
    files = base(
        **{
            "alerts/cost/a.yml": alert,
            "alerts/cost/b.yml": alert.replace("* * *'", "* * ?'"),
            "alerts/cost/b.sql": "SELECT 1 AS spend, 2 AS limit_of_it FROM gold.fact",
            "monitors/cost/fact.yml": monitor,
        }
    )
    told = "\n".join(problems(write(tmp_path, files)))
    assert "alerts/cost/a.yml:7: 'schedule.cron': '0 0 8 * * *' is no Quartz expression" in told
    assert "alerts/cost/b.yml:6: column limits does not exist; there are: limit_of_it" in told
    assert "monitors/cost/fact.yml:3: column day does not exist; there are: id" in told
    assert "monitors/cost/fact.yml:5: column workspace does not exist" in told
    assert "monitors/cost/fact.yml:9: column cost does not exist" in told


def test_a_function_is_checked_against_its_path_and_its_tables(tmp_path: Path) -> None:
    function = """CREATE OR REPLACE FUNCTION gold.g(n INT DEFAULT 1 COMMENT 'How many')
RETURNS TABLE (id STRING)
COMMENT 'What it gives. Technical: how.'
RETURN SELECT f.idd FROM gold.fact AS f WHERE n > 0
"""
    told = "\n".join(problems(write(tmp_path, base(**{"functions/cost/f.sql": function}))))
    assert "functions/cost/f.sql:1: the file makes gold.g; its path says gold.f" in told
    assert "functions/cost/f.sql:1: column id has no COMMENT" in told
    assert "functions/cost/f.sql:4: column idd does not exist; there are: id" in told


def test_a_dashboard_names_what_its_datasets_have(tmp_path: Path) -> None:
    dashboard = """{"datasets": [{"name": "d", "queryLines": ["SELECT id FROM gold.fact"]}],
"pages": [{"name": "p", "layout": [
{"position": {"x": 0, "y": 0, "width": 7, "height": 2}, "widget": {
"name": "one", "queries": [{"name": "q", "query": {"datasetName": "d",
"fields": [{"name": "n", "expression": "COUNT(`ids`)"}]}}],
"spec": {"version": 3, "widgetType": "counter", "encodings": {"value": {"fieldName": "m"}}}}},
{"position": {"x": 6, "y": 1, "width": 7, "height": 2}, "widget": {
"name": "two", "multilineTextboxSpec": {"lines": []}}}]}]}"""
    told = problems(write(tmp_path, base(**{"dashboards/cost/c.lvdash.json": dashboard})))
    place = "dashboards/cost/c.lvdash.json"
    assert told == [
        f"{place}:4: widget one: column ids is not in dataset d: id",
        f"{place}:4: widget one: encoding names field 'm'; its queries have: n",
        f"{place}:4: widget one: version 3 of counter; allowed: (2,)",
        f"{place}:8: widget two: outside the grid of 12 columns",
        f"{place}:8: widget two: overlaps widget one",
    ]
