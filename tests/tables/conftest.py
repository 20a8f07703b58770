"""Table tests: each folder is one table, each file in it one case of inputs and expected rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from health_monitor.bronze.shape import bronze_shape
from health_monitor.spec import Definitions, load_definitions
from health_monitor.spec.platform import PLATFORM_TABLES

from emulator.sql.catalog_store import CatalogStore
from emulator.sql.session import install

DEFINITIONS = Path(__file__).parents[2] / "workloads" / "definitions"
Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a task: functions of ``pyspark.sql`` speak Spark Connect."""
    monkeypatch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")


@pytest.fixture
def databricks(spark: Any, tmp_path: Path) -> Any:
    """A session whose ``sql`` takes the Databricks dialect."""
    install(spark, CatalogStore(tmp_path / "catalog.db"))
    return spark


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return load_definitions(DEFINITIONS)


def cases(*folders: str) -> list[Any]:
    """All cases of some tables, named by their files."""
    found = [
        pytest.param(path, id=f"{path.parent.name}/{path.stem}")
        for folder in folders
        for path in sorted((Path(__file__).parent / folder).glob("*.yml"))
    ]
    assert found
    return found


def gold_folders() -> list[str]:
    """The folders that are named like a gold table: a new one is found without being listed."""
    return _folders("gold", "")


def silver_folders() -> list[str]:
    """The folders that are named like a silver table."""
    return _folders("silver", "silver_")


def _folders(layer: str, prefix: str) -> list[str]:
    names = {f"{prefix}{path.stem}" for path in (DEFINITIONS / layer).glob("*/*.yml")}
    folders = (path.name for path in Path(__file__).parent.iterdir() if path.is_dir())
    return sorted(names.intersection(folders))


def read_case(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = yaml.safe_load(path.read_text())
    return case


def column_types(definitions: Definitions, table: str) -> dict[str, str]:
    """The columns of a table, as the definitions have them."""
    layer, name = table.split(".")
    if layer == "platform":
        return {name: column.type for name, column in PLATFORM_TABLES[table].columns.items()}
    if layer == "gold":
        return {c.name: c.type for c in definitions.gold[name].columns.values()}
    short = name.removeprefix("bronze_").removeprefix("silver_")
    source = definitions.bronze[short]
    types = {column.name: column.type for column in bronze_shape(source).columns}
    if layer == "bronze":
        return types
    silver = definitions.silver[short]
    types |= {column.name: column.type for column in silver.columns.values()}
    if silver.keeps == "history":
        sequence = types[str(silver.sequence_by)]
        types |= {"__START_AT": sequence, "__END_AT": sequence}
    return types


def frame(spark: Any, rows: Rows, types: Mapping[str, str]) -> Any:
    """Rows of YAML as a frame; columns that a row does not name are NULL."""
    from pyspark.sql import functions as F

    for row in rows:
        assert row.keys() <= types.keys(), row.keys() - types.keys()
    schema = ", ".join(f"`{name}` {type_}" for name, type_ in types.items())
    texts = [(json.dumps(row, default=_text),) for row in rows]
    parsed = spark.createDataFrame(texts, "text string").select(
        F.from_json("text", schema, {"mode": "FAILFAST"}).alias("row")
    )
    return parsed.select("row.*")


def shown(rows: list[Any], columns: list[str]) -> list[dict[str, str | None]]:
    """The named columns of result rows, in one form for comparison, in a fixed order."""
    plain = [{name: _plain(row[name]) for name in columns} for row in rows]
    return sorted(plain, key=lambda row: json.dumps(row, sort_keys=True))


def expected_rows(rows: Rows) -> list[dict[str, str | None]]:
    return shown(rows, list(rows[0])) if rows else []


def _plain(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal | int | float):
        return format(Decimal(str(value)).normalize(), "f")
    if isinstance(value, list):
        return json.dumps(sorted(value))
    return str(value)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} cannot stand in a case")
