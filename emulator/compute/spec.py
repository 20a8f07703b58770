"""What is asked of compute and what it answers: plain data that crosses process borders."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from emulator.settings import CATALOG

Kind = Literal["notebook", "python_wheel", "spark_python", "sql", "pipeline", "module"]
Status = Literal["SUCCESS", "FAILED", "CANCELED", "TIMEDOUT"]


@dataclass(frozen=True)
class Column:
    """One column of a result: ``type_text`` as SQL writes it, ``type_name`` its family."""

    name: str
    type_text: str
    type_name: str
    position: int


@dataclass(frozen=True)
class QueryResult:
    """Rows as Python values; ``truncated`` when there were more than the row limit."""

    columns: list[Column]
    rows: list[list[Any]]
    truncated: bool = False


@dataclass
class TaskSpec:
    """One task to run in a process of its own.

    ``payload`` by kind: notebook {notebook_path, base_parameters}, python_wheel {package_name,
    entry_point, parameters | named_parameters}, spark_python {python_file, parameters}, sql
    {path | text, parameters}, pipeline {fields of PipelineRequest}, module {module, function,
    arguments}. ``repeats`` says that the same task has succeeded before.
    """

    kind: Kind
    payload: dict[str, Any]
    task_run_id: str
    task_key: str = "task"
    dependencies: list[str] = field(default_factory=list)
    task_values: dict[str, dict[str, Any]] = field(default_factory=dict)
    in_job: bool = False
    repeats: bool = False
    timeout_seconds: int = 0
    catalog: str = CATALOG
    schema: str = "default"


@dataclass
class TaskResult:
    """How a task ended. ``value`` is a notebook's exit value or what a module returned."""

    status: Status
    value: Any = None
    error: str | None = None
    error_trace: str | None = None
    task_values: dict[str, Any] = field(default_factory=dict)
    spark_died: bool = False

    @property
    def succeeded(self) -> bool:
        return self.status == "SUCCESS"


@dataclass(frozen=True)
class TaskFolder:
    """The files of one task run."""

    path: Path

    @property
    def spec(self) -> Path:
        return self.path / "spec.json"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @property
    def log(self) -> Path:
        return self.path / "output.log"


def write_result(folder: TaskFolder, result: TaskResult) -> None:
    """Write whole or not at all: a reader never sees half a result."""
    draft = folder.path / "result.json.new"
    draft.write_text(json.dumps(asdict(result)))
    draft.replace(folder.result)


def read_result(folder: TaskFolder) -> TaskResult | None:
    if not folder.result.exists():
        return None
    return TaskResult(**json.loads(folder.result.read_text()))
