"""What the emulated Unity Catalog knows about each kind of securable."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Literal, Self

from emulator.settings import USER_NAME

TableType = Literal[
    "MANAGED", "EXTERNAL", "VIEW", "METRIC_VIEW", "STREAMING_TABLE", "MATERIALIZED_VIEW"
]
ConstraintType = Literal["PRIMARY KEY", "FOREIGN KEY"]

_TYPE_NAMES = {
    "bigint": "LONG", "long": "LONG", "int": "INT", "integer": "INT", "smallint": "SHORT",
    "tinyint": "BYTE", "void": "NULL", "timestamp_ntz": "TIMESTAMP_NTZ", "varchar": "STRING",
    "short": "SHORT", "byte": "BYTE",
}  # fmt: skip


def now_ms() -> int:
    return int(time.time() * 1000)


def type_name(type_text: str) -> str:
    """The REST name of a SQL type: bigint -> LONG, decimal(18,2) -> DECIMAL."""
    base = re.split(r"[(<\s]", type_text.strip().lower(), maxsplit=1)[0]
    return _TYPE_NAMES.get(base, base.upper())


@dataclass
class Record:
    """Common to all securables: who made it and when (epoch milliseconds)."""

    kind: ClassVar[str]

    comment: str | None = None
    owner: str = USER_NAME
    created_at: int = field(default_factory=now_ms)
    created_by: str = USER_NAME
    updated_at: int = field(default_factory=now_ms)
    updated_by: str = USER_NAME
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    properties: dict[str, str] = field(default_factory=dict)
    predictive_optimization: str | None = None

    @property
    def full_name(self) -> str:
        raise NotImplementedError

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in json.loads(text).items() if key in known})


@dataclass
class Catalog(Record):
    kind: ClassVar[str] = "catalog"
    name: str = ""

    @property
    def full_name(self) -> str:
        return self.name


@dataclass
class Schema(Record):
    kind: ClassVar[str] = "schema"
    catalog_name: str = ""
    name: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.catalog_name}.{self.name}"


@dataclass
class Column:
    name: str
    type_text: str
    type_json: str = ""
    nullable: bool = True
    comment: str | None = None
    position: int = 0

    @property
    def type_name(self) -> str:
        return type_name(self.type_text)


@dataclass
class InSchema(Record):
    catalog_name: str = ""
    schema_name: str = ""
    name: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.catalog_name}.{self.schema_name}.{self.name}"


@dataclass
class Table(InSchema):
    """A table or view. cluster_by is ["AUTO"] or column names; definition a view's text."""

    kind: ClassVar[str] = "table"
    table_type: TableType = "MANAGED"
    data_source_format: str | None = "DELTA"
    columns: list[Column] = field(default_factory=list)
    definition: str | None = None
    storage_location: str | None = None
    cluster_by: list[str] = field(default_factory=list)
    partition_by: list[str] = field(default_factory=list)
    pipeline_id: str | None = None
    delta_version: int = -1

    def __post_init__(self) -> None:
        self.columns = [c if isinstance(c, Column) else Column(**c) for c in self.columns]

    def column(self, name: str) -> Column | None:
        """The column of this name, whatever its case."""
        return next((c for c in self.columns if c.name.lower() == name.lower()), None)

    @property
    def is_view(self) -> bool:
        return self.table_type in ("VIEW", "METRIC_VIEW")


@dataclass
class Volume(InSchema):
    kind: ClassVar[str] = "volume"
    volume_type: Literal["MANAGED", "EXTERNAL"] = "MANAGED"
    storage_location: str | None = None


@dataclass
class Parameter:
    name: str
    type_text: str
    position: int = 0
    default: str | None = None
    comment: str | None = None

    @property
    def type_name(self) -> str:
        return type_name(self.type_text)


@dataclass
class Function(InSchema):
    """A SQL function. data_type is its scalar type, or TABLE with return_columns."""

    kind: ClassVar[str] = "function"
    parameters: list[Parameter] = field(default_factory=list)
    data_type: str = ""
    return_columns: list[Parameter] = field(default_factory=list)
    body: str = ""
    deterministic: bool = True

    def __post_init__(self) -> None:
        self.parameters = _parameters(self.parameters)
        self.return_columns = _parameters(self.return_columns)


def _parameters(values: Sequence[Any]) -> list[Parameter]:
    return [v if isinstance(v, Parameter) else Parameter(**v) for v in values]


@dataclass
class MetricField:
    """A dimension or measure of a metric view, with its semantic metadata."""

    name: str
    expr: str
    role: Literal["dimension", "measure"]
    display_name: str | None = None
    comment: str | None = None
    synonyms: list[str] = field(default_factory=list)
    format: dict[str, Any] | None = None


@dataclass
class MetricView(InSchema):
    """The 1.1 text of a metric view as written, and its fields in order."""

    kind: ClassVar[str] = "metric_view"
    yaml: str = ""
    source: str = ""
    filter: str | None = None
    fields: list[MetricField] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fields = [f if isinstance(f, MetricField) else MetricField(**f) for f in self.fields]

    def find(self, name: str) -> MetricField | None:
        return next((f for f in self.fields if f.name.lower() == name.lower()), None)


@dataclass(frozen=True)
class Constraint:
    """An informational key. A foreign key names its parent and the parent's columns."""

    table: str
    name: str
    type: ConstraintType
    columns: tuple[str, ...]
    rely: bool = False
    parent_table: str | None = None
    parent_columns: tuple[str, ...] = ()
    timeseries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tag:
    """securable_type: catalog, schema, table, column or volume; column only for columns."""

    securable_type: str
    full_name: str
    column: str
    key: str
    value: str


@dataclass(frozen=True)
class FunctionUse:
    """A row filter (column '') or a column mask: a function and the columns that it is given."""

    table: str
    column: str
    function: str
    arguments: tuple[str, ...]


@dataclass
class Policy:
    """An attribute-based row filter or column mask, with the fields of its REST document."""

    name: str
    on_securable_type: str
    on_securable_fullname: str
    policy_type: str = ""
    for_securable_type: str = "TABLE"
    to_principals: list[str] = field(default_factory=list)
    except_principals: list[str] = field(default_factory=list)
    when_condition: str | None = None
    match_columns: list[dict[str, str]] = field(default_factory=list)
    row_filter: dict[str, Any] | None = None
    column_mask: dict[str, Any] | None = None
    comment: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created_at: int = field(default_factory=now_ms)
    created_by: str = USER_NAME
    updated_at: int = field(default_factory=now_ms)
    updated_by: str = USER_NAME

    @property
    def identity(self) -> PolicyIdentity:
        return (self.on_securable_type, self.on_securable_fullname, self.name)


PolicyIdentity = tuple[str, str, str]
"""CATALOG, SCHEMA or TABLE; the securable's full name; the policy's name."""


@dataclass(frozen=True)
class Grant:
    securable_type: str
    full_name: str
    principal: str
    privilege: str


@dataclass(frozen=True)
class RemovedClauses:
    """One statement of which Spark did not see everything."""

    number: int
    at: int
    statement: str
    clauses: tuple[str, ...]
