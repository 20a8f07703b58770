"""The kinds of definitions, one model each."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from health_monitor.spec.base import (
    BronzeColumn,
    Column,
    Comment,
    ComputedColumn,
    DataType,
    Definition,
    FieldPath,
    Identifier,
    NonEmpty,
    Part,
    Schedule,
    Severity,
    SourceName,
    TableDefinition,
    named,
)


class Watermark(Part):
    """How far a source was read: rows of the last days before it are read again."""

    column: Identifier
    overlap_days: Annotated[int, Field(ge=0, le=90)]
    prune_by: Identifier | None = None
    """A time that never changes in a row: no row from before the oldest new one can be its twin."""


class Protection(Part):
    """What of a source must not be kept as it is."""

    drop: list[SourceName] = []
    """Columns that are not copied; derived columns may still be computed from them."""
    hash: list[FieldPath] = []
    """Columns, or fields of them, that become the SHA-256 of their value."""
    redact: dict[Identifier, Annotated[list[str], Field(min_length=1)]] = {}
    """Maps, and the keys whose values are blanked: names with * as wildcard, in any case."""
    rewrite: dict[FieldPath, str] = {}
    """Columns, or fields of them, and the expression that takes their place."""


class Bronze(TableDefinition):
    """A source table, kept as it is, but for what must not be kept."""

    source: Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z_]+$")]
    mode: Literal["append", "incremental_merge", "full_merge", "daily_snapshot"]
    key: NonEmpty
    watermark: Watermark | None = None
    optional: bool = False
    may_be_quiet: bool = False
    retention_days: int | None = None
    protect: Protection = Protection()
    columns: Annotated[dict[str, BronzeColumn], Field(min_length=1)]
    derived: dict[str, ComputedColumn] = {}

    _named = field_validator("columns", "derived", mode="before")(named)

    @model_validator(mode="after")
    def _incremental(self) -> Bronze:
        if self.mode == "incremental_merge" and self.watermark is None:
            raise ValueError("'incremental_merge' needs a 'watermark' to know what to read again")
        return self


class Expectations(Part):
    """Rules for rows, name: condition. A row that breaks a drop rule goes to quarantine."""

    warn: dict[Identifier, str] = {}
    drop: dict[Identifier, str] = {}
    fail: dict[Identifier, str] = {}


class Silver(TableDefinition):
    """A bronze table, checked, without duplicates; with its history when it has one."""

    reads: Identifier
    keeps: Literal["rows", "latest", "history"]
    key: NonEmpty
    sequence_by: Identifier | None = None
    untracked: list[Identifier] = []
    """Columns whose change alone makes no new version in a history."""
    expectations: Expectations
    columns: dict[str, ComputedColumn] = {}

    _named = field_validator("columns", mode="before")(named)

    @model_validator(mode="after")
    def _ordered(self) -> Silver:
        if (self.keeps == "rows") == (self.sequence_by is not None):
            raise ValueError("'sequence_by' orders latest and history, and has no use for rows")
        if self.untracked and self.keeps != "history":
            raise ValueError("'untracked' says what makes no version: only a history has versions")
        return self

    @property
    def quarantine(self) -> str:
        """The two-part name of the table of rows that broke a rule."""
        return f"{self.table}__expectations"


class ForeignKey(Part):
    """An informational reference to another table's primary key."""

    columns: NonEmpty
    references: Annotated[str, Field(pattern=r"^gold\.[a-z0-9_]+$")]


class Versions(Part):
    """How a table reads another one's versions: of a key, at a time."""

    key: Annotated[dict[Identifier, Identifier], Field(min_length=1)]
    """Columns of the feed and the columns of the table that they are joined with."""
    at: str
    """The time at which a version must hold: an expression over the table's columns."""


class Feed(Part):
    """A table that gold reads, and how its changes say what to compute again.

    ``touches`` is a query over its ``changes``; ``versions`` finds the rows that read a version
    which came, went or changed. With neither, any change means everything.
    """

    table: str
    touches: str | None = None
    versions: Versions | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Feed:
        if self.touches and self.versions:
            raise ValueError("a feed has either 'touches' or 'versions'")
        return self


class Refresh(Part):
    """Computes whole values of one column again; without it, the whole table."""

    by: Identifier
    feeds: Annotated[list[Feed], Field(min_length=1)]


class Gold(TableDefinition):
    """A table or view for analysts; its rows come from the SELECT beside it, or from a model."""

    type: Literal["table", "view"] = "table"
    filled_by: Identifier | None = None
    grain: str
    key: list[Identifier] = []
    foreign_keys: list[ForeignKey] = []
    refresh: Refresh | None = None
    rows: list[dict[Identifier, Any]] = []
    """Data that the query reads as the relation ``listed``."""
    columns: Annotated[dict[str, Column], Field(min_length=1)]
    sql: str = ""
    sql_path: str = ""

    _named = field_validator("columns", mode="before")(named)

    @property
    def table(self) -> str:
        return f"gold.{self.name}"


class Parameter(Part):
    """A parameter of a function."""

    name: str
    type: str
    default: str | None = None
    comment: str


class Function(Definition):
    """A table function: one CREATE FUNCTION statement."""

    sql: str
    comment: Comment
    parameters: list[Parameter]
    columns: dict[str, str]

    @property
    def function(self) -> str:
        """Its two-part name."""
        return f"gold.{self.name}"


class MetricField(Part):
    """A dimension or a measure of a metric view."""

    name: Identifier
    expr: str
    comment: Comment
    display_name: Annotated[str, Field(max_length=255)] | None = None
    synonyms: Annotated[list[str], Field(max_length=10)] = []
    format: dict[str, Any] | None = None


class MetricJoin(Part):
    """A table that a metric view joins, many to one."""

    name: Identifier
    source: str
    on: str


class MetricView(Definition):
    """A metric view in YAML 1.1, as Databricks takes it."""

    version: Literal["1.1"]
    comment: Comment
    source: str
    filter: str | None = None
    joins: list[MetricJoin] = []
    dimensions: Annotated[list[MetricField], Field(min_length=1)]
    measures: Annotated[list[MetricField], Field(min_length=1)]

    @field_validator("version", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, float) else value

    @property
    def view(self) -> str:
        """Its two-part name."""
        return f"gold.{self.name}"


class Model(Definition):
    """A model that is trained on gold and scores into gold."""

    comment: Comment
    algorithm: Literal["isolation_forest"]
    source: str
    grain: NonEmpty
    value: Identifier
    scores: str
    contamination: Annotated[float, Field(gt=0, lt=0.5)]
    min_history_days: Annotated[int, Field(ge=7)]
    min_value: Annotated[float, Field(ge=0)]
    parameters: dict[str, int | float | str | bool] = {}


class Metric(Part):
    """A custom metric of a monitor."""

    name: Identifier
    definition: str
    comment: Comment
    type: DataType = "double"
    input_columns: Annotated[list[str], Field(min_length=1)] = [":table"]

    @property
    def output_data_type(self) -> str:
        """The declared type, as the monitors API takes it: a JSON struct field."""
        # A StructField's JSON has Spark's own names for the integer types.
        name = {"bigint": "long", "int": "integer", "smallint": "short"}.get(self.type, self.type)
        return json.dumps({"metadata": {}, "name": "output", "nullable": True, "type": name})


class Metrics(Part):
    """Custom metrics: over rows, over metrics of the same window, and between two windows."""

    aggregate: dict[str, Metric] = {}
    derived: dict[str, Metric] = {}
    drift: dict[str, Metric] = {}

    _named = field_validator("aggregate", "derived", "drift", mode="before")(named)


class Monitor(Definition):
    """A quality monitor on a gold table."""

    table: str
    comment: Comment
    timestamp_col: Identifier
    granularities: Annotated[
        list[Literal["1 hour", "1 day", "1 week", "1 month"]], Field(min_length=1)
    ]
    slices: list[str] = []
    metrics: Metrics
    schedule: Schedule


Aggregation = Literal["AVG", "COUNT", "COUNT_DISTINCT", "MAX", "MEDIAN", "MIN", "STDDEV", "SUM"]


class Operand(Part):
    """A column of the alert's result, aggregated over its rows (first row without)."""

    column: Identifier
    aggregation: Aggregation | None = None


class Threshold(Part):
    """A fixed value, or a column of the result."""

    value: float | bool | str | None = None
    column: Identifier | None = None
    aggregation: Aggregation | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Threshold:
        if (self.value is None) == (self.column is None):
            raise ValueError("a threshold has either 'value' or 'column'")
        return self


class Alert(Definition):
    """A condition on a query's result, and who is told."""

    display_name: str
    comment: Comment
    severity: Severity
    source: Operand
    operator: Literal[
        "EQUAL",
        "NOT_EQUAL",
        "GREATER_THAN",
        "GREATER_THAN_OR_EQUAL",
        "LESS_THAN",
        "LESS_THAN_OR_EQUAL",
        "IS_NULL",
        "IS_NOT_NULL",
    ]
    threshold: Threshold | None = None
    when_empty: Literal["OK", "TRIGGERED", "ERROR"] = "OK"
    schedule: Schedule
    destinations: list[Identifier] = []
    """Who is told in place of those whom its severity names."""
    notify_on_ok: bool = False
    retrigger_seconds: Annotated[int, Field(ge=0)] = 0
    custom_summary: str | None = None
    custom_description: str | None = None
    sql: str = ""
    sql_path: str = ""

    @model_validator(mode="after")
    def _compares(self) -> Alert:
        unary = self.operator in ("IS_NULL", "IS_NOT_NULL")
        if unary == (self.threshold is not None):
            raise ValueError("a threshold is needed, but not with IS_NULL and IS_NOT_NULL")
        return self


class Check(Definition):
    """A question to the platform's tables that a runbook's job asks; each row is a finding.

    The domain is the job. A check that ``fails`` ends the job's run as failed where it finds
    something; the others only report.
    """

    comment: Comment
    says: Annotated[str, Field(min_length=1)]
    """What is said of a row, with its columns in braces."""
    fails: bool
    most: Annotated[int, Field(ge=1, le=1000)] = 20
    """How many rows are shown; all are counted."""
    sql: str = ""
    sql_path: str = ""


class Dashboard(Definition):
    """An AI/BI dashboard, as the workspace exports it."""

    content: dict[str, Any]
    text: str
