"""A folder of exported system tables: found, checked whole, and read as their tables are."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from emulator.account.arrow_types import (
    common,
    extended,
    filled,
    is_readable_as,
    misfits,
    new_fields,
    normal,
    row_type,
)
from emulator.account.difference import read_batches
from emulator.account.imported_files import content_hash
from emulator.account.schemas import SystemTable, system_tables

_FORBIDDEN_IN_NAMES = set(" ,;{}()\n\t=")


class LoadError(ValueError):
    """An export that cannot be imported; every problem names file, table and column."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class TableExport:
    """The checked files of one table.

    ``hashes`` are those of the files as they were exported; ``schema`` is what the table will
    have; ``partial`` are the columns and fields of it that not every file has, dotted.
    """

    table: SystemTable
    files: tuple[Path, ...]
    hashes: tuple[str, ...]
    rows: int
    schema: pa.Schema
    partial: frozenset[str]

    @property
    def missing(self) -> tuple[str, ...]:
        """The declared columns that some file lacks: their rows have NULL there."""
        return tuple(name for name in self.table.arrow.names if name in self.partial)


def find_tables(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the known and of the unknown tables in a folder; LoadError when none is known."""
    if not folder.is_dir():
        raise LoadError([f"{folder}: no such folder; expected <schema>.<table>/*.parquet in it"])
    found = {path.name for path in folder.iterdir() if path.is_dir() and "." in path.name[1:]}
    known = [name for name in system_tables() if name in found]
    if not known:
        expected = ", ".join(f"{name}/" for name in system_tables())
        raise LoadError([f"{folder}: holds no known system table; expected some of: {expected}"])
    return known, sorted(found.difference(known))


def inspect(
    folder: Path,
    table: SystemTable,
    base: pa.Schema,
    staging: Path,
    known: Container[str] = frozenset(),
) -> tuple[TableExport | None, list[str]]:
    """Check all files of a table, every page of them; None and the problems when one is wrong.

    ``base`` is the declared schema, with what the existing table has more. ``staging`` gets a
    converted copy of each file whose types are others. ``known`` are the hashes of files that
    were checked before.
    """
    files = sorted(p for p in (folder / table.name).glob("*.parquet") if p.name[0] not in "._")
    if not files:
        return None, [f"{table.name}: {folder / table.name} holds no *.parquet file"]
    problems: list[str] = []
    schemas: dict[Path, pa.Schema] = {}
    for file in files:
        try:
            schemas[file] = pq.read_schema(file)
        except (pa.ArrowException, OSError) as error:
            problems.append(_unreadable(table, file, error))
    wanted = row_type(base)
    for file, schema in schemas.items():
        found_problems = list(_schema_problems(table, schema, wanted))
        problems += [f"{table.name}: {file}: {problem}" for problem in found_problems]
        if not found_problems:
            wanted = extended(wanted, row_type(schema))
    if problems:
        return None, problems
    return _read_all(table, schemas, wanted, staging, known)


def _schema_problems(table: SystemTable, schema: pa.Schema, wanted: pa.DataType) -> Iterator[str]:
    for name in (*table.key, *table.required):
        if name not in schema.names:
            type_ = table.arrow.field(name).type
            yield f"column {name} is missing; expected {type_}"
    types = {field.name: field.type for field in wanted}
    for field in schema:
        if schema.names.count(field.name) > 1:
            yield f"column {field.name} stands twice"
        elif field.name in types:
            yield from (f"column {m}" for m in misfits(field.type, types[field.name], field.name))
        else:
            yield from _new_column_problems(field)


def _new_column_problems(field: pa.Field) -> Iterator[str]:
    if _FORBIDDEN_IN_NAMES.intersection(field.name):
        yield f"column {field.name!r} has a character that a Delta column name may not have"
    try:
        normal(field.type)
    except ValueError as error:
        yield f"column {field.name}: {error}"


def _read_all(
    table: SystemTable,
    schemas: dict[Path, pa.Schema],
    wanted: pa.DataType,
    staging: Path,
    known: Container[str],
) -> tuple[TableExport | None, list[str]]:
    target = pa.schema(list(wanted))
    problems, files, hashes, rows = [], [], [], 0
    everywhere = wanted
    for number, (file, schema) in enumerate(schemas.items()):
        everywhere = common(everywhere, row_type(schema))
        as_is = is_readable_as(row_type(schema), wanted)
        staged = staging / table.name / f"{number:06}.parquet"
        staged.parent.mkdir(parents=True, exist_ok=True)
        try:
            hashes.append(content_hash(file))
            if as_is and hashes[-1] in known:
                rows += rows_in(file)
            else:
                rows += _scan(file, target, None if as_is else staged)
        except (pa.ArrowException, OSError) as error:
            problems.append(_unreadable(table, file, error))
        files.append(file if as_is else staged)
    if problems:
        return None, problems
    partial = frozenset(new_fields(everywhere, wanted))
    return TableExport(table, tuple(files), tuple(hashes), rows, target, partial), []


def rows_in(file: Path) -> int:
    """How many rows a Parquet file says it has."""
    return int(pq.read_metadata(file).num_rows)


def _scan(file: Path, target: pa.Schema, copy: Path | None) -> int:
    """Read every page, so that a broken one is found now; write the converted copy if asked."""
    rows = 0
    with contextlib.ExitStack() as stack:
        writer = None
        if copy is not None:
            schema = pa.schema([target.field(name) for name in pq.read_schema(file).names])
            writer = stack.enter_context(pq.ParquetWriter(copy, schema))
        for batch in read_batches(file):
            rows += batch.num_rows
            if writer is not None:
                writer.write_table(pa.Table.from_batches([batch]).cast(writer.schema))
    return rows


def rows_of(
    files: Iterable[Path], schema: pa.Schema, marks: npt.NDArray[np.bool_] | None = None
) -> pa.RecordBatchReader:
    """The rows of checked files, as a schema has them; the marked ones, with ``marks``."""
    return pa.RecordBatchReader.from_batches(schema, _batches(files, row_type(schema), marks))


def _batches(
    files: Iterable[Path], wanted: pa.DataType, marks: npt.NDArray[np.bool_] | None
) -> Iterator[pa.RecordBatch]:
    start = 0
    for file in files:
        for batch in read_batches(file):
            end = start + batch.num_rows
            if marks is not None:
                batch = batch.filter(pa.array(marks[start:end]))
            start = end
            if batch.num_rows:
                rows = filled(batch.to_struct_array(), wanted)
                yield pa.RecordBatch.from_struct_array(rows)


def _unreadable(table: SystemTable, file: Path, error: Exception) -> str:
    reason = str(error).splitlines()[0]
    return (
        f"{table.name}: {file}: not a readable Parquet file of this table ({reason}); "
        "export it again"
    )
