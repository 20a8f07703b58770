"""Runs small pipelines for the tests of the pipelines engine."""

from __future__ import annotations

import textwrap
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.compute.pipelines import PipelineRequest, Source, UpdateResult, run_update

HEADER = """
from pyspark import pipelines as dp
from pyspark.sql import functions as F

"""


@dataclass
class Events:
    """An event sink that keeps what it gets."""

    all: list[dict[str, Any]] = field(default_factory=list)

    def emit(self, event: dict[str, Any]) -> None:
        self.all.append(event)

    def of(self, event_type: str) -> list[dict[str, Any]]:
        return [e["details"][event_type] for e in self.all if e["event_type"] == event_type]


@dataclass
class Pipeline:
    """One pipeline in a schema of its own."""

    spark: Any
    folder: Path
    schema: str = field(default_factory=lambda: f"pipeline_{uuid.uuid4().hex[:8]}")
    events: Events = field(default_factory=Events)

    def __post_init__(self) -> None:
        self.spark.sql(f"CREATE DATABASE {self.schema}")

    def table(self, name: str) -> Any:
        return self.spark.read.table(f"{self.schema}.{name}")

    def rows(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        frame = self.table(name).select(*columns) if columns else self.table(name)
        return sorted((tuple(row) for row in frame.collect()), key=repr)

    def write(self, name: str, query: str) -> None:
        """Append the rows of a query to a table of the schema; new columns may join."""
        writer = self.spark.sql(query).write.format("delta").mode("append")
        writer = writer.option("mergeSchema", "true").option("delta.enableChangeDataFeed", "true")
        writer.saveAsTable(f"{self.schema}.{name}")

    def update(self, code: str, *, full_refresh: bool = False, **options: Any) -> UpdateResult:
        self.events = Events()
        text = HEADER + textwrap.dedent(code)
        request = PipelineRequest(
            pipeline_id=f"id-{self.schema}",
            update_id=uuid.uuid4().hex,
            name="test",
            catalog="spark_catalog",
            schema=self.schema,
            configuration={"source_schema": self.schema},
            sources=[Source("/Workspace/silver.py", text, "file")],
            full_refresh=full_refresh,
            state_folder=self.folder,
            **options,
        )
        return run_update(self.spark, request, self.events)
