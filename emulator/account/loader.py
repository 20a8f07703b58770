"""Import exported (or simulated) system tables into the emulated account's Delta tables.

Append-only tables gain what they lack, counted, so that exact duplicates of the source stay;
tables whose rows change end as exported. All files of all tables are checked before the first
row is written, and each table is written in one commit.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyspark.sql.connect.functions import lit
from pyspark.sql.connect.session import SparkSession

from emulator.account.arrow_types import extended, misfits, new_fields, row_type, without
from emulator.account.difference import Digests, are_same, beyond, file_digests
from emulator.account.export_files import (
    LoadError,
    TableExport,
    find_tables,
    inspect,
    write_rows,
)
from emulator.account.schemas import (
    SystemTable,
    parse_type,
    quoted,
    spark_ddl,
    system_tables,
)
from emulator.compute.codegen import adapt
from emulator.sql.delta_log import DeltaLog
from emulator.sql.metadata import table_information
from emulator.sql.names import ObjectName
from emulator.sql.session import original_sql

# Kept with the table: rows from before such a column are no other rows because it is NULL there.
_PARTIAL = "emulator.partialColumns"
# Most tables are small: Spark plans one on one core while it writes another on the other.
PARALLEL_IMPORTS = 3
_CATALOG = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class ImportReport:
    """What the import did with one table.

    ``outcome`` is created, appended, replaced or unchanged; absent (the folder has no such
    table, nothing was touched) or ignored (the folder has it, but it is no known table).
    """

    table: str
    outcome: str
    rows_exported: int = 0
    rows_before: int = 0
    rows_after: int = 0
    new_columns: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()
    seconds: float = 0.0

    def __str__(self) -> str:
        text = f"{self.table}: {self.outcome}"
        if self.outcome in ("absent", "ignored"):
            return text
        change = self.rows_after - self.rows_before
        text += f", {self.rows_after} rows ({change:+d}), {self.seconds:.1f} s"
        for label, names in (("new", self.new_columns), ("missing", self.missing_columns)):
            if names:
                text += f"; {label} columns: {', '.join(names)}"
        return text


@dataclass(frozen=True)
class _Target:
    """A table as it is now; ``schema`` is None when there is none yet.

    ``partial`` are the columns that rows of an earlier import did not have.
    """

    name: str
    schema: pa.Schema | None
    partial: frozenset[str] = frozenset()
    location: str | None = None


@dataclass(frozen=True)
class _Present:
    """What an existing table holds before the import: its rows, and the files that they are in."""

    schema: pa.Schema
    rows: int
    files: list[Path]


def import_folder(
    spark: Any,
    folder: Path | str,
    *,
    target_catalog: str = "spark_catalog",
    progress: Callable[[str], object] = print,
) -> list[ImportReport]:
    """Import every known system table of a folder; LoadError before anything is written."""
    if not _CATALOG.fullmatch(target_catalog):
        raise LoadError([f"{target_catalog!r} is no catalog name"])
    folder = Path(folder).resolve()
    known, unknown = find_tables(folder)
    adapt(spark, folder)
    reports = []
    with tempfile.TemporaryDirectory(prefix="system-tables-") as staging:
        targets = {name: _target(spark, target_catalog, name) for name in known}
        exports = _inspect_all(folder, targets, Path(staging))
        _create_schemas(spark, target_catalog, exports)
        with ThreadPoolExecutor(PARALLEL_IMPORTS) as pool:
            done = {
                name: pool.submit(_import_table, spark, export, targets[name], Path(staging))
                for name, export in exports.items()
            }
            for name in system_tables():
                found = done[name].result() if name in done else ImportReport(name, "absent")
                progress(str(found))
                reports.append(found)
    for name in unknown:
        reports.append(ImportReport(name, "ignored"))
        progress(str(reports[-1]))
    return reports


def _target(spark: Any, catalog: str, name: str) -> _Target:
    schema_name, _, table_name = name.partition(".")
    full_name = f"{quoted(catalog)}.{quoted(schema_name)}.{quoted(table_name)}"
    object_name = ObjectName(catalog, schema_name, table_name)
    about = table_information(original_sql(spark), object_name)
    if about is None:
        return _Target(full_name, None)
    fields = spark.table(full_name).schema.fields
    types = [(field.name, parse_type(field.dataType.simpleString())) for field in fields]
    properties = dict(original_sql(spark)(f"SHOW TBLPROPERTIES {full_name}").collect())
    partial = json.loads(properties.get(_PARTIAL, "[]"))
    return _Target(full_name, pa.schema(types), frozenset(partial), about.get("Location"))


def _inspect_all(
    folder: Path, targets: dict[str, _Target], staging: Path
) -> dict[str, TableExport]:
    exports, problems = {}, []
    for name, target in targets.items():
        table = system_tables()[name]
        base = table.arrow
        if target.schema is not None:
            problems += _table_problems(table, target.schema)
            base = pa.schema(list(extended(row_type(target.schema), row_type(base))))
        export, found = inspect(folder, table, base, staging)
        problems += found
        if export is not None:
            exports[name] = export
    if problems:
        raise LoadError(problems)
    return exports


def _table_problems(table: SystemTable, existing: pa.Schema) -> list[str]:
    wanted = row_type(table.arrow)
    found = misfits(row_type(existing), wanted, "column")
    return [f"{table.name}: the existing table does not fit: {problem}" for problem in found]


def _import_table(spark: Any, export: TableExport, target: _Target, staging: Path) -> ImportReport:
    started = time.monotonic()
    before = 0
    columns: tuple[str, ...] = ()
    if target.schema is None:
        _create(spark, export, target)
        outcome, after = "created", export.rows
    else:
        present = _present(spark, target, target.schema)
        before = present.rows
        columns = tuple(new_fields(row_type(target.schema), row_type(export.schema)))
        import_rows = _append_difference if export.table.is_append_only else _replace
        outcome, after = import_rows(spark, export, target, present, staging)
    return ImportReport(
        table=export.table.name,
        outcome=outcome,
        rows_exported=export.rows,
        rows_before=before,
        rows_after=after,
        new_columns=columns,
        missing_columns=export.missing,
        seconds=round(time.monotonic() - started, 2),
    )


def _present(spark: Any, target: _Target, schema: pa.Schema) -> _Present:
    """From the table's log, or from Spark where that was cleaned."""
    if target.location is not None:
        log = DeltaLog(target.location)
        rows = log.rows()
        if rows is not None:
            return _Present(schema, rows, log.paths())
    table = spark.table(target.name)
    files = [Path(unquote(urlsplit(uri).path)) for uri in table.inputFiles()]
    return _Present(schema, table.count(), files)


def _create_schemas(spark: Any, catalog: str, names: Iterable[str]) -> None:
    for schema_name in sorted({name.partition(".")[0] for name in names}):
        original_sql(spark)(f"CREATE SCHEMA IF NOT EXISTS {quoted(catalog)}.{quoted(schema_name)}")


def _create(spark: Any, export: TableExport, target: _Target) -> None:
    """The table and its rows in one commit."""
    writer = _read(spark, export, export.files).writeTo(target.name).using("delta")
    writer = writer.tableProperty("delta.enableChangeDataFeed", "true")
    writer.tableProperty(_PARTIAL, json.dumps(sorted(export.partial))).create()


def _append_difference(
    spark: Any, export: TableExport, target: _Target, present: _Present, staging: Path
) -> tuple[str, int]:
    """New columns do not make old rows new: what all rows of both sides have is compared."""
    existing = row_type(present.schema)
    grown = frozenset(new_fields(existing, row_type(export.schema)))
    partial = target.partial | export.partial | grown
    compared = without(existing, partial)
    marks = beyond(file_digests(export.files, compared), _digests(target, present, compared))
    if not marks.any():
        return "unchanged", present.rows
    if partial != target.partial:
        value = _property(partial)
        settings = f"TBLPROPERTIES ('{_PARTIAL}' = {value})"
        original_sql(spark)(f"ALTER TABLE {target.name} SET {settings}")
    writer = _read(spark, export, write_rows(export, marks, staging)).writeTo(target.name)
    writer.option("mergeSchema", "true").append()
    return "appended", present.rows + int(marks.sum())


def _property(partial: frozenset[str]) -> str:
    """A list of names as a SQL string."""
    text = json.dumps(sorted(partial)).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def _replace(
    spark: Any, export: TableExport, target: _Target, present: _Present, _: Path
) -> tuple[str, int]:
    whole = row_type(present.schema)
    if row_type(export.schema) == whole:
        exported = file_digests(export.files, whole)
        if are_same(exported, _digests(target, present, whole)):
            return "unchanged", present.rows
    writer = _read(spark, export, export.files).writeTo(target.name)
    writer.option("mergeSchema", "true").overwrite(lit(True))
    return "replaced", export.rows


def _digests(target: _Target, present: _Present, compared: pa.DataType) -> Digests:
    """The digests of the table's rows, read from its live files."""
    digests = file_digests(present.files, compared)
    if len(digests) != present.rows:
        raise LoadError(
            [
                f"{target.name}: has {present.rows} rows, its files {len(digests)}: something else "
                "than this import changed rows in it; drop the table and import again"
            ]
        )
    return digests


def _read(spark: Any, export: TableExport, files: Sequence[Path]) -> Any:
    return spark.read.schema(spark_ddl(export.schema)).parquet(*[str(file) for file in files])


def main(arguments: list[str] | None = None) -> int:
    """Import a folder over Spark Connect; one JSON line a table on stdout."""
    parser = argparse.ArgumentParser(prog="python -m emulator.account.loader")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--catalog", default="spark_catalog")
    parser.add_argument("--spark-url", default=os.environ.get("SPARK_REMOTE"))
    options = parser.parse_args(arguments)
    if options.spark_url is None:
        parser.error("--spark-url (or SPARK_REMOTE) is needed: sc://host:port/;token=...")
    spark = SparkSession.builder.remote(options.spark_url).create()
    try:
        reports = import_folder(
            spark,
            options.folder,
            target_catalog=options.catalog,
            progress=lambda line: print(line, file=sys.stderr),
        )
    except (LoadError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        spark.stop()
    for report in reports:
        print(json.dumps(asdict(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
