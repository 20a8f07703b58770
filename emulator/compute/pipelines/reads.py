"""Sends the reads of pipeline code through the update: streams, and the pipeline's own tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from emulator.compute.pipelines.model import PipelineError
from emulator.compute.pipelines.streams import StreamOptions, StreamReader


class Reads(Protocol):
    def read_stream(self, name: str, options: StreamOptions) -> Any: ...

    def read_batch(self, name: str) -> Any | None: ...

    def is_view(self, name: str) -> bool: ...


@contextmanager
def reads_through(spark: Any, update: Reads) -> Iterator[None]:
    """While this is open, all Spark sessions of this process read through the update."""
    from pyspark.sql.connect.readwriter import DataFrameReader
    from pyspark.sql.connect.session import SparkSession

    plain_stream, plain_table = SparkSession.readStream, DataFrameReader.table
    plain_sql = spark.sql
    had_own_sql = "sql" in vars(spark)

    def table(reader: Any, name: str) -> Any:
        if not reader._options:
            frame = update.read_batch(name)
            if frame is not None:
                return frame
        return plain_table(reader, name)

    def sql(statement: str, *arguments: Any, **named: Any) -> Any:
        _prepare_names(statement, update)
        return plain_sql(statement, *arguments, **named)

    SparkSession.readStream = property(lambda _: StreamReader(update.read_stream))
    DataFrameReader.table = table
    spark.sql = sql
    try:
        yield
    finally:
        SparkSession.readStream = plain_stream
        DataFrameReader.table = plain_table
        if had_own_sql:
            spark.sql = plain_sql
        else:
            del spark.sql


def _prepare_names(statement: str, update: Reads) -> None:
    """Update the pipeline's tables that a statement names, and make its views known to Spark."""
    for name in named_tables(statement):
        frame = update.read_batch(name)
        if frame is not None and update.is_view(name):
            frame.createOrReplaceTempView(name)


def named_tables(statement: str) -> list[str]:
    """The names that follow FROM or JOIN."""
    from sqlglot import TokenType, tokenize

    tokens = tokenize(statement, read="databricks")
    names = []
    for position, token in enumerate(tokens[:-1]):
        if token.token_type not in (TokenType.FROM, TokenType.JOIN):
            continue
        first = position + 1
        parts = [tokens[first].text]
        while first + 2 < len(tokens) and tokens[first + 1].token_type is TokenType.DOT:
            first += 2
            parts.append(tokens[first].text)
        if [part.upper() for part in parts] == ["STREAM"]:
            raise PipelineError("STREAM(...) in SQL is not emulated: use spark.readStream.table")
        if all(_is_name(part) for part in parts):
            names.append(".".join(parts))
    return names


def _is_name(text: str) -> bool:
    return text.replace("_", "a").isalnum()
