"""What Spark gets of a statement, what the catalog keeps, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.sql.errors import SqlError
from tests.emulator.sql_fakes import Workbench

FACT = "id bigint!, ws string, amount double"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def spark_text(bench: Workbench, sql: str) -> str:
    return " ".join(bench.plan(sql).sql[-1].split())


def test_create_table_loses_keys_masks_filter_and_auto_clustering(bench: Workbench) -> None:
    bench.function("hide")
    bench.function("own")
    bench.table("dim_ws", "ws string!")
    bench.apply("ALTER TABLE gold.dim_ws ADD CONSTRAINT dim_ws_pk PRIMARY KEY (ws) RELY")
    planned = bench.apply(
        """CREATE OR REPLACE TABLE gold.fact (
          id BIGINT COMMENT 'the, id',
          ws STRING CONSTRAINT fact_ws REFERENCES gold.dim_ws NOT ENFORCED,
          mail STRING MASK gold.hide USING COLUMNS (ws) COMMENT 'who',
          s STRUCT<mask: INT, primary: ARRAY<INT>>,
          CONSTRAINT fact_pk PRIMARY KEY (id) NOT ENFORCED RELY
        ) USING delta COMMENT 'facts' CLUSTER BY AUTO
        WITH ROW FILTER gold.own ON (ws)
        TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"""
    )
    assert " ".join(planned.sql[0].split()) == (
        "CREATE OR REPLACE TABLE gold.fact ( id BIGINT NOT NULL COMMENT 'the, id', ws STRING , "
        "mail STRING COMMENT 'who', s STRUCT<mask: INT, primary: ARRAY<INT>> ) USING delta "
        "COMMENT 'facts' TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    )
    keys = bench.catalog.constraints.all("spark_catalog.gold.fact")
    assert [(k.name, k.type, k.columns, k.rely) for k in keys] == [
        ("fact_pk", "PRIMARY KEY", ("id",), True),
        ("fact_ws", "FOREIGN KEY", ("ws",), False),
    ]
    assert keys[1].parent_table == "spark_catalog.gold.dim_ws"
    assert keys[1].parent_columns == ("ws",)
    uses = bench.catalog.function_uses.all("spark_catalog.gold.fact")
    assert [(u.column, u.function, u.arguments) for u in uses] == [
        ("", "spark_catalog.gold.own", ("ws",)),
        ("mail", "spark_catalog.gold.hide", ("ws",)),
    ]
    logged = bench.catalog.log.all()[-1]
    assert set(logged.clauses) == {
        "CONSTRAINT fact_ws REFERENCES gold.dim_ws NOT ENFORCED",
        "MASK gold.hide USING COLUMNS (ws)",
        "CONSTRAINT fact_pk PRIMARY KEY (id) NOT ENFORCED RELY",
        "CLUSTER BY AUTO",
        "WITH ROW FILTER gold.own ON (ws)",
    }
    assert "CREATE OR REPLACE TABLE gold.fact" in logged.statement


def test_a_name_that_is_a_word_of_deltas_parser_is_quoted(bench: Workbench) -> None:
    text = spark_text(bench, "DESCRIBE HISTORY spark_catalog.query.history LIMIT 1")
    assert text == "DESCRIBE HISTORY `spark_catalog`.`query`.`history` LIMIT 1"
    assert spark_text(bench, "desc detail detail") == "desc detail `detail`"


def test_only_the_constraint_leaves_a_list_of_one_column(bench: Workbench) -> None:
    text = spark_text(bench, "CREATE TABLE t (PRIMARY KEY (a), a INT NOT NULL)")
    assert text.replace(" ", "") == "CREATETABLEt(aINTNOTNULL)"


def test_if_not_exists_leaves_an_existing_tables_keys_alone(bench: Workbench) -> None:
    bench.table("fact", FACT)
    sql = "CREATE TABLE IF NOT EXISTS gold.fact (id BIGINT, PRIMARY KEY (id))"
    planned = bench.apply(sql)
    assert "PRIMARY" not in planned.sql[0]
    assert bench.catalog.constraints.all() == []


def test_a_replacement_drops_keys_and_keeps_tags_of_columns_that_stay(bench: Workbench) -> None:
    bench.table("fact", FACT)
    bench.apply("ALTER TABLE fact ADD PRIMARY KEY (id)")
    bench.apply("ALTER TABLE fact ALTER COLUMN ws SET TAGS ('pii' = 'none')")
    bench.apply("ALTER TABLE fact ALTER COLUMN amount SET TAGS ('unit' = 'USD')")
    bench.apply("CREATE OR REPLACE TABLE gold.fact (id BIGINT, ws STRING)")
    assert bench.catalog.constraints.all() == []
    assert [tag.column for tag in bench.catalog.tags.all("column")] == ["ws"]


@pytest.mark.parametrize(
    ("sql", "condition"),
    [
        ("ALTER TABLE gold.nope ADD PRIMARY KEY (id)", "TABLE_OR_VIEW_NOT_FOUND"),
        ("ALTER TABLE fact ADD PRIMARY KEY (nope)", "UNRESOLVED_COLUMN"),
        ("ALTER TABLE fact ADD PRIMARY KEY (ws)", "PRIMARY_KEY_COLUMN_NULLABLE"),
        ("ALTER TABLE fact ADD PRIMARY KEY (id) ENFORCED", "UNSUPPORTED_CONSTRAINT"),
        ("ALTER TABLE fact ADD CONSTRAINT IF NOT EXISTS k PRIMARY KEY (id)", "PARSE_SYNTAX"),
        ("ALTER TABLE fact ADD PRIMARY KEY (id) LATER", "PARSE_SYNTAX_ERROR"),
        ("ALTER TABLE fact ADD FOREIGN KEY (ws) REFERENCES nope", "TABLE_OR_VIEW_NOT_FOUND"),
        ("ALTER TABLE fact ADD FOREIGN KEY (ws) REFERENCES dim", "WITHOUT_KEY"),
        ("ALTER TABLE fact ADD FOREIGN KEY (id) REFERENCES keyed", "FOREIGN_KEY_MISMATCH"),
        ("ALTER TABLE fact ADD FOREIGN KEY (ws) REFERENCES keyed (name)", "FOREIGN_KEY_MISMATCH"),
        ("ALTER TABLE v ADD PRIMARY KEY (id)", "EXPECT_TABLE_NOT_VIEW"),
        ("ALTER TABLE fact SET ROW FILTER nope ON (ws)", "ROUTINE_NOT_FOUND"),
        ("ALTER TABLE fact SET ROW FILTER own ON (nope)", "UNRESOLVED_COLUMN"),
        ("ALTER TABLE fact ALTER COLUMN nope SET MASK own", "UNRESOLVED_COLUMN"),
        ("ALTER TABLE fact ALTER COLUMN ws DROP MASK", "POLICY_NOT_FOUND"),
        ("ALTER TABLE fact DROP ROW FILTER", "POLICY_NOT_FOUND"),
        ("ALTER TABLE fact SET TAGS ('a.b' = 'c')", "INVALID_PARAMETER_VALUE"),
        ("ALTER TABLE fact SET TAGS ('a' = 'b') more", "PARSE_SYNTAX_ERROR"),
        ("GRANT USE CATALOG ON TABLE fact TO a", "INVALID_PARAMETER_VALUE"),
        ("GRANT SELECT ON TABLE nope TO a", "TABLE_OR_VIEW_NOT_FOUND"),
        ("GRANT SELECT ON SCHEMA nope TO a", "SCHEMA_NOT_FOUND"),
        ("CREATE VOLUME nope.v", "SCHEMA_NOT_FOUND"),
        ("DROP VOLUME gold.v", "VOLUME_NOT_FOUND"),
        ("CREATE TABLE main.gold.t (a INT)", "NO_SUCH_CATALOG_EXCEPTION"),
        ("SELECT * FROM main.gold.fact", "NO_SUCH_CATALOG_EXCEPTION"),
        ("SELECT 1 FROM fact JOIN system.billing.usage", "NO_SUCH_CATALOG_EXCEPTION"),
        ("USE CATALOG main", "NO_SUCH_CATALOG_EXCEPTION"),
        ("UNDROP TABLE gold.fact", "UNDROP is not supported"),
        ("DESCRIBE POLICY p ON CATALOG x", "EMULATOR_NOT_SUPPORTED"),
        ("SELECT * FROM information_schema.nope", "TABLE_OR_VIEW_NOT_FOUND"),
        ("SELECT BIN_FLOOR(1) FROM fact", "WRONG_NUM_ARGS"),
    ],
)
def test_refused(bench: Workbench, sql: str, condition: str) -> None:
    bench.table("fact", FACT)
    bench.table("dim", "ws string!")
    bench.table("keyed", "ws string!, name string!")
    bench.table("v", "id bigint!", table_type="VIEW")
    bench.function("own")
    bench.apply("ALTER TABLE keyed ADD PRIMARY KEY (ws)")
    with pytest.raises(SqlError, match=condition):
        bench.plan(sql)


def test_a_table_has_one_primary_key_and_a_name_is_used_once(bench: Workbench) -> None:
    bench.table("fact", FACT)
    bench.apply("ALTER TABLE fact ADD CONSTRAINT k PRIMARY KEY (id)")
    with pytest.raises(SqlError, match="CONSTRAINT_ALREADY_EXISTS"):
        bench.plan("ALTER TABLE fact ADD CONSTRAINT k PRIMARY KEY (id)")
    with pytest.raises(SqlError, match="MULTIPLE_PRIMARY_KEYS"):
        bench.plan("ALTER TABLE fact ADD CONSTRAINT other PRIMARY KEY (id)")


def test_dropping_keys(bench: Workbench) -> None:
    bench.table("fact", FACT)
    bench.table("dim", "ws string!")
    bench.apply("ALTER TABLE dim ADD CONSTRAINT dim_pk PRIMARY KEY (ws)")
    bench.apply("ALTER TABLE fact ADD CONSTRAINT fk FOREIGN KEY (ws) REFERENCES dim")
    with pytest.raises(SqlError, match="CONSTRAINT_HAS_DEPENDENTS"):
        bench.plan("ALTER TABLE dim DROP PRIMARY KEY")
    bench.apply("ALTER TABLE dim DROP CONSTRAINT dim_pk CASCADE")
    assert bench.catalog.constraints.all() == []
    assert bench.plan("ALTER TABLE dim DROP PRIMARY KEY IF EXISTS").sql == []
    with pytest.raises(SqlError, match="CONSTRAINT_DOES_NOT_EXIST"):
        bench.plan("ALTER TABLE dim DROP PRIMARY KEY")


def test_check_constraints_are_sparks(bench: Workbench) -> None:
    bench.table("fact", FACT)
    for sql in (
        "ALTER TABLE fact ADD CONSTRAINT positive CHECK (amount > 0)",
        "ALTER TABLE fact DROP CONSTRAINT IF EXISTS positive",
        "ALTER TABLE fact ADD COLUMN note STRING",
        "ALTER TABLE fact CLUSTER BY (id)",
        "OPTIMIZE fact WHERE id > 1",
        "MERGE WITH SCHEMA EVOLUTION INTO fact USING x ON x.id = fact.id WHEN MATCHED THEN DELETE",
    ):
        planned = bench.plan(sql)
        assert planned.sql == [sql]
        assert planned.removed == []


def test_tags_of_every_kind(bench: Workbench) -> None:
    bench.table("fact", FACT)
    bench.apply("CREATE VOLUME gold.files COMMENT 'f'")
    bench.apply("ALTER TABLE gold.fact SET TAGS ('domain' = 'cost', 'flag')")
    bench.apply("ALTER SCHEMA gold SET TAGS ('layer' = 'gold')")
    bench.apply("ALTER CATALOG spark_catalog SET TAGS ('a' = 'b')")
    bench.apply("ALTER VOLUME gold.files SET TAGS ('v' = '')")
    bench.apply("SET TAG ON COLUMN gold.fact.ws pii = 'none'")
    bench.apply("ALTER TABLE fact UNSET TAGS ('flag')")
    found = [
        (t.securable_type, t.full_name, t.column, t.key, t.value) for t in bench.catalog.tags.all()
    ]
    assert found == [
        ("catalog", "spark_catalog", "", "a", "b"),
        ("schema", "spark_catalog.gold", "", "layer", "gold"),
        ("table", "spark_catalog.gold.fact", "", "domain", "cost"),
        ("column", "spark_catalog.gold.fact", "ws", "pii", "none"),
        ("volume", "spark_catalog.gold.files", "", "v", ""),
    ]
    bench.apply("UNSET TAG ON COLUMN gold.fact.ws pii")
    assert bench.catalog.tags.all("column") == []


def test_masks_and_filters_are_set_and_dropped(bench: Workbench) -> None:
    bench.table("fact", FACT)
    bench.function("f")
    bench.apply("ALTER TABLE fact SET ROW FILTER gold.f ON (ws)")
    bench.apply("ALTER TABLE fact ALTER COLUMN ws SET MASK f")
    assert len(bench.catalog.function_uses.all()) == 2
    assert bench.apply("ALTER TABLE fact DROP ROW FILTER").sql == []
    bench.apply("ALTER TABLE fact ALTER ws DROP MASK")
    assert bench.catalog.function_uses.all() == []


def test_grants(bench: Workbench) -> None:
    bench.table("fact", FACT)
    bench.apply("GRANT SELECT, MODIFY ON gold.fact TO `data engineers`")
    bench.apply("GRANT USE SCHEMA ON SCHEMA gold TO analysts")
    bench.apply("REVOKE MODIFY ON TABLE fact FROM `data engineers`")
    rows = bench.plan("SHOW GRANTS ON TABLE fact").rows
    assert rows is not None
    assert rows.rows == [("data engineers", "SELECT", "TABLE", "spark_catalog.gold.fact")]
    rows = bench.plan("SHOW GRANTS nobody ON SCHEMA gold").rows
    assert rows is not None
    assert rows.rows == []
    bench.apply("GRANT ALL PRIVILEGES ON TABLE fact TO `data engineers`")
    bench.apply("REVOKE ALL PRIVILEGES ON TABLE fact FROM `data engineers`")
    assert bench.catalog.grants.all("table") == []


def test_comments_go_where_they_can_be_kept(bench: Workbench) -> None:
    bench.table("fact", FACT)
    bench.table("v", "id bigint", table_type="VIEW")
    text = spark_text(bench, "COMMENT ON COLUMN gold.fact.ws IS 'it''s \\\\ one'")
    assert text == (
        "ALTER TABLE `spark_catalog`.`gold`.`fact` ALTER COLUMN `ws` COMMENT 'it\\'s \\\\ one'"
    )
    bench.apply("COMMENT ON COLUMN v.id IS 'key'")
    view = bench.catalog.table("spark_catalog.gold.v")
    assert view is not None
    assert view.columns[0].comment == "key"
    assert "SET TBLPROPERTIES ('comment' = 'x')" in spark_text(bench, "COMMENT ON VIEW v IS 'x'")
    bench.apply("COMMENT ON CATALOG spark_catalog IS 'all'")
    catalog = bench.catalog.catalog("spark_catalog")
    assert catalog is not None
    assert catalog.comment == "all"


def test_places(bench: Workbench) -> None:
    assert bench.plan("USE CATALOG spark_catalog").sql == ["USE spark_catalog.default"]
    bench.apply("CREATE VOLUME IF NOT EXISTS files")
    bench.apply("CREATE VOLUME IF NOT EXISTS files")
    assert bench.catalog.volume_folder("spark_catalog.gold.files").is_dir()
    rows = bench.plan("SHOW VOLUMES IN gold").rows
    assert rows is not None
    assert rows.rows == [("gold", "files")]
    bench.apply("DROP VOLUME files")
    assert not bench.catalog.volume_folder("spark_catalog.gold.files").exists()
    bench.apply("ALTER SCHEMA gold ENABLE PREDICTIVE OPTIMIZATION")
    bench.apply("ALTER SCHEMA gold OWNER TO `team a`")
    schema = bench.catalog.schema("spark_catalog.gold")
    assert schema is not None
    assert (schema.predictive_optimization, schema.owner) == ("ENABLE", "team a")


def test_information_schema_becomes_temporary_views(bench: Workbench) -> None:
    planned = bench.plan(
        "SELECT information_schema.tables.table_name, c.column_name "
        "FROM system.information_schema.tables JOIN information_schema.columns AS c USING (x) "
        "WHERE 'information_schema.views' <> ''"
    )
    assert planned.sql == [
        "SELECT `tables`.`table_name`, c.column_name "
        "FROM `__information_schema_tables` AS `tables` "
        "JOIN `__information_schema_columns` AS c USING (x) "
        "WHERE 'information_schema.views' <> ''"
    ]
    assert planned.views == ["tables", "columns"]


def test_functions_that_spark_lacks(bench: Workbench) -> None:
    text = spark_text(bench, "SELECT bin_floor(BIN_FLOOR(a, 2) + f(1, 2), 5), x.bin_floor FROM t")
    inner = "(FLOOR((a) / (2)) * (2))"
    assert text == f"SELECT (FLOOR(({inner} + f(1, 2)) / (5)) * (5)), x.bin_floor FROM t"
    bench.catalog.groups.set_members("hr's", ["ada@example.com"])
    text = spark_text(bench, "SELECT is_account_group_member('hr')")
    assert text == "SELECT array_contains(array('account users', 'hr\\'s', 'users'), 'hr')"


def test_what_looks_like_a_relation_but_is_none_passes(bench: Workbench) -> None:
    for sql in (
        "SELECT extract(day FROM a.b.c), trim(BOTH ' ' FROM a.b.c) FROM t",
        "SELECT a IS DISTINCT FROM x.y.z FROM t",
        "SELECT 'FROM main.gold.t' -- FROM main.gold.t",
        "SELECT v:a.b.c FROM t WHERE d = :day",
    ):
        assert bench.plan(sql).sql == [sql]
