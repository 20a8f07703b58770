"""Attribute-based policies: what a statement keeps, what it refuses, what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.sql.errors import SqlError
from emulator.sql.information_schema import VIEWS
from tests.emulator.sql_fakes import Workbench

MASK = """
CREATE OR REPLACE POLICY mask_pii ON SCHEMA gold COMMENT 'who it is'
COLUMN MASK gold.hide TO `account users`, analysts EXCEPT `the admins`
FOR TABLES WHEN NOT has_tag('open') AND (hasTagValue('layer', 'gold') OR FALSE)
MATCH COLUMNS has_tag_value('pii', 'text') AS who, hasTag('ws') place
ON COLUMN who USING COLUMNS (place, 4)
"""
FILTER = """
CREATE POLICY own ON TABLE gold.fact ROW FILTER gold.own TO `account users`
FOR TABLES MATCH COLUMNS has_tag('owner') AS o USING COLUMNS (o)
"""


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path)
    bench.table("fact", "id bigint!, ws string, amount double")
    bench.function("hide")
    bench.function("own")
    return bench


def rows(bench: Workbench, sql: str) -> list[tuple[object, ...]]:
    found = bench.plan(sql).rows
    assert found is not None
    return found.rows


def test_a_policy_is_kept_with_all_its_parts(bench: Workbench) -> None:
    planned = bench.apply(MASK)
    assert planned.sql == []
    (policy,) = bench.catalog.policies.all()
    assert policy.identity == ("SCHEMA", "spark_catalog.gold", "mask_pii")
    assert (policy.policy_type, policy.comment) == ("POLICY_TYPE_COLUMN_MASK", "who it is")
    assert policy.to_principals == ["account users", "analysts"]
    assert policy.except_principals == ["the admins"]
    assert policy.when_condition == (
        "NOT has_tag('open') AND (hasTagValue('layer', 'gold') OR FALSE)"
    )
    assert policy.match_columns == [
        {"condition": "has_tag_value('pii', 'text')", "alias": "who"},
        {"condition": "hasTag('ws')", "alias": "place"},
    ]
    assert policy.column_mask == {
        "function_name": "spark_catalog.gold.hide",
        "on_column": "who",
        "using": [{"alias": "place"}, {"constant": "4"}],
    }


def test_a_replacement_keeps_its_id_and_a_second_one_is_refused(bench: Workbench) -> None:
    bench.apply(FILTER)
    (first,) = bench.catalog.policies.all()
    with pytest.raises(SqlError, match="POLICY_ALREADY_EXISTS"):
        bench.apply(FILTER)
    bench.apply(FILTER.replace("CREATE", "CREATE OR REPLACE").replace("users`", "users`, b"))
    (second,) = bench.catalog.policies.all()
    assert (second.id, second.to_principals) == (first.id, ["account users", "b"])


def test_policies_are_shown_where_they_hang_and_effective_ones_below(bench: Workbench) -> None:
    bench.apply(MASK)
    bench.apply(FILTER)
    mask = ("mask_pii", "COLUMN_MASK", "spark_catalog", "gold", None, "who it is")
    own = ("own", "ROW_FILTER", "spark_catalog", "gold", "fact", None)
    assert rows(bench, "SHOW POLICIES ON SCHEMA gold") == [mask]
    assert rows(bench, "SHOW POLICIES ON TABLE gold.fact") == [own]
    assert rows(bench, "SHOW EFFECTIVE POLICIES ON TABLE gold.fact") == [mask, own]
    assert rows(bench, "SHOW POLICIES ON CATALOG spark_catalog") == []


def test_a_policy_goes_alone_or_with_what_it_hangs_on(bench: Workbench) -> None:
    bench.apply(MASK)
    bench.apply(FILTER)
    bench.apply("DROP POLICY mask_pii ON SCHEMA gold")
    with pytest.raises(SqlError, match="POLICY_NOT_FOUND"):
        bench.apply("DROP POLICY mask_pii ON SCHEMA gold")
    bench.catalog.drop_table("spark_catalog.gold.fact")
    assert bench.catalog.policies.all() == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("gold.hide", "gold.nothing", "ROUTINE_NOT_FOUND"),
        ("SCHEMA gold", "SCHEMA nowhere", "SCHEMA_NOT_FOUND"),
        ("SCHEMA gold", "VOLUME gold", "Expected ON CATALOG or ON SCHEMA or ON TABLE"),
        ("ON COLUMN who", "ON COLUMN whom", "alias whom .* those of MATCH COLUMNS: who, place"),
        ("(place, 4)", "(elsewhere)", "alias elsewhere is not"),
        ("has_tag('open')", "current_user() = 'a'", "current_user is no function of tags"),
        ("has_tag('open')", "has_tag('a', 'b')", "has_tag takes 1 string literal"),
        ("'text')", "text)", "has_tag_value takes 2 string literals"),
        ("FOR TABLES", "", "Expected FOR TABLES"),
        ("USING COLUMNS (place, 4)", "USING COLUMNS (place) x", "near 'x'"),
        ("hasTag('ws') place", "hasTag('a'), hasTag('b'), hasTag('c')", "more than 3 conditions"),
        ("analysts", ", ".join(f"g{n}" for n in range(19)), "more than 20 principals"),
    ],
)
def test_what_is_refused(bench: Workbench, old: str, new: str, told: str) -> None:
    assert old in MASK
    with pytest.raises(SqlError, match=told):
        bench.apply(MASK.replace(old, new, 1))
    assert bench.catalog.policies.all() == []


def test_a_streaming_table_has_tags_and_grants_as_others_have(bench: Workbench) -> None:
    bench.table("stream", "who string", table_type="STREAMING_TABLE")
    bench.apply("ALTER STREAMING TABLE gold.stream SET TAGS ('layer' = 'silver', 'x' = 'y')")
    bench.apply("ALTER STREAMING TABLE gold.stream ALTER COLUMN who SET TAGS ('pii' = 'true')")
    bench.apply("ALTER STREAMING TABLE gold.stream UNSET TAGS ('x')")
    bench.apply("GRANT SELECT, MANAGE ON TABLE gold.stream TO `readers`")
    place = ("spark_catalog", "gold", "stream")
    assert list(VIEWS["table_tags"][1](bench.catalog)) == [(*place, "layer", "silver")]
    assert list(VIEWS["column_tags"][1](bench.catalog)) == [(*place, "who", "pii", "true")]
    granted = {(row[1], row[5]) for row in VIEWS["table_privileges"][1](bench.catalog)}
    assert granted == {("readers", "SELECT"), ("readers", "MANAGE")}
