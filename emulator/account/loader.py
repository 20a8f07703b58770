"""Import exported (or simulated) system tables into the emulated account's Delta tables.

Append-only tables gain what they lack, counted, so that exact duplicates of the source stay;
tables whose rows change end as exported. All files of all tables are checked before the first
row is written, and the rows of each table are written in one commit: by delta-rs, as Spark takes
seconds of planning for each table (docs/decisions/0019-delta-without-spark.md).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.types as pt
from deltalake import DeltaTable, write_deltalake
from pyspark.sql.connect.session import SparkSession

from emulator.account import imported_files
from emulator.account.arrow_types import (
    extended,
    misfits,
    new_fields,
    normal,
    row_type,
    without,
)
from emulator.account.difference import Digests, are_same, beyond, file_digests
from emulator.account.export_files import (
    LoadError,
    TableExport,
    find_tables,
    inspect,
    rows_in,
    rows_of,
)
from emulator.account.schemas import (
    SystemTable,
    quoted,
    spark_ddl,
    system_tables,
)
from emulator.sql.delta_log import DeltaLog
from emulator.sql.metadata import table_information
from emulator.sql.names import ObjectName, string_literal
from emulator.sql.session import original_sql

# Kept with the table: rows from before such a column are no other rows because it is NULL there.
_PARTIAL = "emulator.partialColumns"
# Most tables are small: one is read on one core while another is written on the other.
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
class _Present:
    """A table before the import: its rows, and the files that they are in.

    ``partial`` are the columns that rows of an earlier import did not have; ``imported`` are the
    hashes of the exported files whose rows it has, where that is known.
    """

    name: str
    folder: Path
    schema: pa.Schema
    partial: frozenset[str]
    rows: int
    files: list[Path]
    imported: Counter[str] | None


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
    reports = []
    with tempfile.TemporaryDirectory(prefix="system-tables-") as staging:
        present = {name: _present(spark, target_catalog, name) for name in known}
        exports = _inspect_all(folder, present, Path(staging))
        _create_schemas(spark, target_catalog, exports)
        with ThreadPoolExecutor(PARALLEL_IMPORTS) as pool:
            done = {
                name: pool.submit(_import_table, spark, target_catalog, export, present[name])
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


def _present(spark: Any, catalog: str, name: str) -> _Present | None:
    """A table as it is now; None when there is none yet."""
    folder = _place(spark, catalog, name)
    if folder is None:
        return None
    table = DeltaTable(folder)
    types = pa.schema(table.schema().to_arrow())
    log = DeltaLog(folder)
    rows = log.rows()
    return _Present(
        name=ObjectName.parse(f"{catalog}.{name}").sql,
        folder=folder,
        schema=pa.schema([(field.name, normal(field.type)) for field in types]),
        partial=frozenset(json.loads(table.metadata().configuration.get(_PARTIAL, "[]"))),
        # The log alone does not tell where it was cleaned.
        rows=table.count() if rows is None else rows,
        files=log.paths() if rows is not None else [_folder(uri) for uri in table.file_uris()],
        imported=imported_files.noted(folder, table.version()),
    )


def _place(spark: Any, catalog: str, name: str) -> Path | None:
    about = table_information(original_sql(spark), ObjectName.parse(f"{catalog}.{name}"))
    return None if about is None else _folder(about["Location"])


def _folder(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def _inspect_all(
    folder: Path, present: dict[str, _Present | None], staging: Path
) -> dict[str, TableExport]:
    exports, problems = {}, []
    for name, existing in present.items():
        table = system_tables()[name]
        base = table.arrow
        if existing is not None:
            problems += _table_problems(table, existing.schema)
            base = pa.schema(list(extended(row_type(existing.schema), row_type(base))))
        known = existing.imported if existing is not None else None
        export, found = inspect(folder, table, base, staging, known or frozenset())
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


def _import_table(
    spark: Any, catalog: str, export: TableExport, present: _Present | None
) -> ImportReport:
    started = time.monotonic()
    columns: tuple[str, ...] = ()
    if present is None:
        folder = _create(spark, catalog, export)
        outcome, after = "created", export.rows
    else:
        folder = present.folder
        columns = tuple(new_fields(row_type(present.schema), row_type(export.schema)))
        if export.table.is_append_only:
            outcome, after = _append_difference(spark, export, present)
        else:
            outcome, after = _replace(export, present)
    # As many rows, and none of the export is missing: they are the same.
    if after == export.rows:
        imported_files.note(folder, DeltaLog(folder).latest, export.hashes)
    return ImportReport(
        table=export.table.name,
        outcome=outcome,
        rows_exported=export.rows,
        rows_before=present.rows if present else 0,
        rows_after=after,
        new_columns=columns,
        missing_columns=export.missing,
        seconds=round(time.monotonic() - started, 2),
    )


def _create_schemas(spark: Any, catalog: str, names: Iterable[str]) -> None:
    for schema_name in sorted({name.partition(".")[0] for name in names}):
        original_sql(spark)(f"CREATE SCHEMA IF NOT EXISTS {quoted(catalog)}.{quoted(schema_name)}")


def _create(spark: Any, catalog: str, export: TableExport) -> Path:
    """Spark makes the table, as the catalog is Spark's; its folder."""
    # delta-rs notes the least and largest value of a decimal as a double: Spark would skip files
    # that have what it looks for.
    bounded = [f.name for f in export.schema if pt.is_temporal(f.type) or pt.is_integer(f.type)]
    properties = {
        "delta.enableChangeDataFeed": "true",
        "delta.dataSkippingStatsColumns": ",".join(map(quoted, bounded)),
        _PARTIAL: json.dumps(sorted(export.partial)),
    }
    settings = ", ".join(f"'{key}' = {string_literal(value)}" for key, value in properties.items())
    name, columns = ObjectName.parse(f"{catalog}.{export.table.name}").sql, spark_ddl(export.schema)
    original_sql(spark)(f"CREATE TABLE {name} ({columns}) USING delta TBLPROPERTIES ({settings})")
    folder = _place(spark, catalog, export.table.name)
    if folder is None:
        raise LoadError([f"{name}: was dropped while it was imported; import again"])
    write_deltalake(folder, rows_of(export.files, export.schema), mode="append")
    return folder


def _append_difference(spark: Any, export: TableExport, present: _Present) -> tuple[str, int]:
    new, rows = _new_rows(export, present)
    if not new:
        return "unchanged", present.rows
    partial = _partial(export, present)
    if partial != present.partial:
        value = string_literal(json.dumps(sorted(partial)))
        settings = f"TBLPROPERTIES ('{_PARTIAL}' = {value})"
        original_sql(spark)(f"ALTER TABLE {present.name} SET {settings}")
    write_deltalake(present.folder, rows, mode="append", schema_mode="merge")
    return "appended", present.rows + new


def _partial(export: TableExport, present: _Present) -> frozenset[str]:
    grown = new_fields(row_type(present.schema), row_type(export.schema))
    return present.partial | export.partial | frozenset(grown)


def _new_rows(export: TableExport, present: _Present) -> tuple[int, pa.RecordBatchReader]:
    """How many rows the table lacks, and these.

    New columns do not make old rows new: what all rows of both sides have is compared.
    """
    if present.imported is not None and present.imported <= Counter(export.hashes):
        files = _beyond(export, present.imported)
        return sum(map(rows_in, files)), rows_of(files, export.schema)
    compared = without(row_type(present.schema), _partial(export, present))
    marks = beyond(file_digests(export.files, compared), _digests(present, compared))
    return int(marks.sum()), rows_of(export.files, export.schema, marks)


def _beyond(export: TableExport, imported: Counter[str]) -> list[Path]:
    """The files that are more than was imported of their like."""
    left = imported.copy()
    files = []
    for file, hash_ in zip(export.files, export.hashes, strict=True):
        if left[hash_]:
            left[hash_] -= 1
        else:
            files.append(file)
    return files


def _replace(export: TableExport, present: _Present) -> tuple[str, int]:
    whole = row_type(present.schema)
    if row_type(export.schema) == whole:
        if present.imported == Counter(export.hashes):
            return "unchanged", present.rows
        exported = file_digests(export.files, whole)
        if are_same(exported, _digests(present, whole)):
            return "unchanged", present.rows
    rows = rows_of(export.files, export.schema)
    write_deltalake(present.folder, rows, mode="overwrite", schema_mode="merge")
    return "replaced", export.rows


def _digests(present: _Present, compared: pa.DataType) -> Digests:
    """The digests of the table's rows, read from its live files."""
    digests = file_digests(present.files, compared)
    if len(digests) != present.rows:
        raise LoadError(
            [
                f"{present.name}: has {present.rows} rows, its files {len(digests)}: something "
                "else than this import changed rows in it; drop the table and import again"
            ]
        )
    return digests


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
