"""The emulated Unity Catalog: what belongs together goes together."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from emulator.settings import CATALOG
from emulator.sql.catalog_store import CatalogStore
from emulator.sql.errors import SqlError
from emulator.sql.records import (
    Column,
    Constraint,
    FunctionUse,
    MetricField,
    MetricView,
    Schema,
    Table,
    Volume,
    type_name,
)

FACT = f"{CATALOG}.gold.fact"
DIM = f"{CATALOG}.gold.dim"


@pytest.fixture
def store(tmp_path: Path) -> CatalogStore:
    store = CatalogStore(tmp_path / "catalog.db")
    store.put(Schema(catalog_name=CATALOG, name="gold", comment="figures"))
    for name in ("fact", "dim"):
        columns = [Column("Id", "bigint", nullable=False), Column("x", "decimal(18,2)")]
        store.put(Table(catalog_name=CATALOG, schema_name="gold", name=name, columns=columns))
    store.constraints.add(Constraint(DIM, "dim_pk", "PRIMARY KEY", ("Id",)))
    store.constraints.add(Constraint(FACT, "fk", "FOREIGN KEY", ("x",), False, DIM, ("Id",)))
    store.tags.set("table", FACT, {"a": "b"})
    store.tags.set("column", FACT, {"a": "b"}, "X")
    store.function_uses.set(FunctionUse(FACT, "x", f"{CATALOG}.gold.f", ("Id",)))
    store.grants.add("table", FACT, "ada", ["SELECT"])
    return store


def test_records_come_back_as_they_went_in(store: CatalogStore, tmp_path: Path) -> None:
    field = MetricField("Cost", "SUM(x)", "measure", synonyms=["spend"], format={"type": "number"})
    view = MetricView(catalog_name=CATALOG, schema_name="gold", name="mv", fields=[field])
    store.put(view)
    again = CatalogStore(tmp_path / "catalog.db")
    assert again.metric_view(view.full_name) == view
    found = view.find("cost")
    assert found is field
    table = again.table(FACT.upper())
    assert table is not None
    assert table == store.table(FACT)
    column = table.column("id")
    assert column is not None
    assert (column.name, column.type_name) == ("Id", "LONG")
    assert again.constraints.all(FACT) == store.constraints.all(FACT)


def test_types_have_their_rest_names() -> None:
    names = [type_name(t) for t in ("bigint", "DECIMAL(18, 2)", "struct<a:int>", "timestamp")]
    assert names == ["LONG", "DECIMAL", "STRUCT", "TIMESTAMP"]


def test_a_dropped_table_takes_all_that_hangs_on_it(store: CatalogStore) -> None:
    assert store.drop_table(FACT)
    assert not store.drop_table(FACT)
    assert [c.table for c in store.constraints.all()] == [DIM]
    left = (store.tags.all(), store.function_uses.all(), store.grants.all())
    assert left == ([], [], [])


def test_a_dropped_parent_takes_the_keys_that_refer_to_it(store: CatalogStore) -> None:
    assert [c.name for c in store.constraints.referring_to(DIM)] == ["fk"]
    store.drop_table(DIM)
    assert store.constraints.all() == []


def test_a_renamed_table_keeps_all_that_hangs_on_it(store: CatalogStore) -> None:
    new = f"{CATALOG}.gold.renamed"
    store.rename_table(DIM, f"{CATALOG}.gold.parent")
    store.rename_table(FACT, new)
    assert store.table(FACT) is None
    table = store.table(new)
    assert table is not None
    assert table.full_name == new
    key = store.constraints.all(new)[0]
    assert (key.table, key.parent_table) == (new, f"{CATALOG}.gold.parent")
    assert {tag.full_name for tag in store.tags.all()} == {new}
    assert store.grants.all("table", new)[0].privilege == "SELECT"


def test_schemas_hold_their_content(store: CatalogStore) -> None:
    store.create_volume(Volume(catalog_name=CATALOG, schema_name="gold", name="files"))
    assert store.volume_folder(f"{CATALOG}.gold.files").is_dir()
    with pytest.raises(SqlError, match="SCHEMA_NOT_EMPTY"):
        store.drop_schema(f"{CATALOG}.gold")
    with pytest.raises(SqlError, match="SCHEMA_NOT_FOUND"):
        store.put(Table(catalog_name=CATALOG, schema_name="nope", name="t"))
    assert store.drop_schema(f"{CATALOG}.gold", cascade=True)
    assert store.tables() == []
    assert not store.volume_folder(f"{CATALOG}.gold.files").exists()


def test_names_with_a_common_start_are_not_parents(store: CatalogStore) -> None:
    store.put(Schema(catalog_name=CATALOG, name="gold_monitoring"))
    store.put(Table(catalog_name=CATALOG, schema_name="gold_monitoring", name="t"))
    assert [t.name for t in store.tables(f"{CATALOG}.gold")] == ["dim", "fact"]


def _add_properties(path: Path, worker: int, together: Any) -> None:
    store = CatalogStore(path)
    together.wait(60)
    for number in range(100):

        def change(table: Table, key: str = f"{worker}.{number}") -> None:
            table.properties[key] = "x"

        store.update(Table, FACT, change)


def test_updates_of_several_processes_do_not_lose_each_other(
    store: CatalogStore, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(2)
    workers = [
        context.Process(target=_add_properties, args=(tmp_path / "catalog.db", worker, together))
        for worker in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    table = store.table(FACT)
    assert table is not None
    assert len(table.properties) == 200
