"""First versions of definitions: one template a kind, checked before anything is written."""

from __future__ import annotations

import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from health_monitor.bronze.shape import bronze_shape
from health_monitor.spec.base import NAME, Column
from health_monitor.spec.kinds import Bronze, Gold, Silver
from health_monitor.spec.loader import SUFFIXES, Definitions, read_definitions
from health_monitor.spec.references import References
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tools.console import DriverError
from tools.paths import ROOT

TEMPLATES = Path(__file__).parent / "scaffold_templates"
DEFINITIONS = Path("workloads") / "definitions"
# The table that a first version reads, unless another is named.
READS = {
    "bronze": "{domain}.{name}",
    "silver": "bronze.bronze_{name}",
    "gold": "silver.silver_usage",
    "functions": "gold.fact_usage",
    "metric_views": "gold.fact_usage",
    "models": "gold.summary_cost",
    "monitors": "gold.{name}",
    "alerts": "gold.fact_usage",
    "dashboards": "gold.fact_usage",
    "policies": "gold.fact_usage",
    "grants": "gold.fact_usage",
    "checks": "gold.fact_usage",
    "jobs": "gold.fact_usage",
}
SAMPLES = {
    "string": '"1"',
    "boolean": "true",
    "date": "2026-01-01",
    "timestamp": "2026-01-01T00:00:00",
    "bigint": "1",
    "int": "1",
    "double": "1.5",
    "decimal": '"1.5"',
}
WIDTH = 100
SEPARATOR = "=== "


@dataclass(frozen=True)
class Table:
    """The table that a first version reads."""

    name: str
    definition: Bronze | Silver | Gold
    columns: dict[str, Column]

    @property
    def short_name(self) -> str:
        return self.name.split(".")[1]

    @property
    def key(self) -> list[Column]:
        return [self.columns[name] for name in self.definition.key]

    @property
    def is_history(self) -> bool:
        return isinstance(self.definition, Silver) and self.definition.keeps == "history"

    def of(self, *types: str) -> list[Column]:
        """Its columns of some types, in order; those of its key come first."""
        ordered = {**{column.name: column for column in self.key}, **self.columns}
        return [column for column in ordered.values() if base_type(column) in types]

    def first(self, *types: str) -> Column:
        """Its first column of one of these types, the first type that it has."""
        for type_ in types:
            if found := self.of(type_):
                return found[0]
        raise DriverError(
            f"{self.name} has no column of type {' or '.join(types)}, which a first version needs",
            self.definition.path,
            "name another table with READS=schema.table",
        )

    @property
    def group(self) -> Column:
        """A column to count by: a text that is no part of the key, where there is one."""
        key = set(self.definition.key)
        texts = [column for column in self.of("string") if column.name not in key]
        return texts[0] if texts else self.first("string")

    def others(self, count: int, *taken: Column) -> list[Column]:
        """Some more of its own columns, plain ones only."""
        plain = self.of(*SAMPLES)
        used = {column.name for column in (*self.key, *taken)}
        added = ("ingested_at", "row_key", "snapshot_date", "rescued_data")
        return [c for c in plain if c.name not in used and c.name not in added][:count]


def new(kind: str, name: str, reads: str | None = None, root: Path = ROOT) -> list[Path]:
    """Write the files of a new definition; DriverError, and nothing written, if that cannot be."""
    domain, short = _identity(kind, name)
    definitions, _ = read_definitions(root / DEFINITIONS)
    _check_free(kind, short, definitions)
    source = reads or READS[kind].format(domain=domain, name=short)
    context: dict[str, Any] = {"kind": kind, "domain": domain, "name": short, "reads": source}
    if kind != "bronze":
        context["table"] = _table(definitions, source)
    _check_monitored(kind, definitions, source)
    files = _rendered(kind, context)
    there = [str(path) for path in files if (root / path).exists()]
    if there:
        raise DriverError("These files exist already; nothing was written", ", ".join(there))
    _check(definitions, files)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return list(files)


def _identity(kind: str, name: str) -> tuple[str, str]:
    if kind not in SUFFIXES:
        raise DriverError(f"KIND is {kind!r}; allowed: {', '.join(SUFFIXES)}")
    parts = name.split("/")
    if len(parts) != 2 or not all(NAME.fullmatch(part) for part in parts):
        raise DriverError(
            f"NAME is {name!r}; allowed: domain/name in lower case letters, digits and _",
            todo=f"for example: make new KIND={kind} NAME=cost/first",
        )
    return parts[0], parts[1]


def _check_free(kind: str, name: str, definitions: Definitions) -> None:
    """A name stands once in its kind; tables and metric views share gold."""
    sharing = ("gold", "metric_views") if kind in ("gold", "metric_views") else (kind,)
    for other in sharing:
        if name in definitions.of(other):
            taken = definitions.of(other)[name].path
            raise DriverError(f"{other} has a '{name}' already", taken, "choose another name")


def _table(definitions: Definitions, name: str) -> Table:
    known: dict[str, Bronze | Silver | Gold] = {
        table.table: table
        for kind in ("bronze", "silver", "gold")
        for table in definitions.of(kind).values()
    }
    definition = known.get(name)
    if definition is None:
        raise DriverError(
            f"The table {name}, which the new definition would read, does not exist; there are: "
            + ", ".join(sorted(known)),
            todo="name one with READS=schema.table, or make it first",
        )
    return Table(name, definition, columns_of(definitions, definition))


def columns_of(definitions: Definitions, table: Bronze | Silver | Gold) -> dict[str, Column]:
    """All columns of a table, those that the layers add included."""
    if isinstance(table, Gold):
        return dict(table.columns)
    if isinstance(table, Bronze):
        return {column.name: column for column in bronze_shape(table).columns}
    bronze = definitions.bronze.get(table.reads.removeprefix("bronze_"))
    if bronze is None:
        raise DriverError(f"bronze.{table.reads} is missing or wrong", table.path, "`make check`")
    return {**columns_of(definitions, bronze), **table.columns}


def _check_monitored(kind: str, definitions: Definitions, table: str) -> None:
    """A table has one monitor."""
    others = [m.path for m in definitions.monitors.values() if m.table == table]
    if kind == "monitors" and others:
        raise DriverError(f"{table} has a monitor already", others[0], "add metrics to that one")


def _rendered(kind: str, context: dict[str, Any]) -> dict[Path, str]:
    """The files of a template: each begins with a line that says its path."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"text": yaml_text, "sample": sample, "title": title, "names": names}
    text = environment.get_template(f"{kind}.j2").render(context)
    files: dict[Path, str] = {}
    for part in text.split(f"\n{SEPARATOR}"):
        path, _, content = part.removeprefix(SEPARATOR).partition("\n")
        files[Path(path)] = content.rstrip("\n") + "\n"
    return files


def _check(definitions: Definitions, files: dict[Path, str]) -> None:
    """Load the new files aside, among all others, so that no wrong definition is ever written."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_text(text, encoding="utf-8")
        made, problems = read_definitions(Path(folder) / DEFINITIONS)
    for kind in SUFFIXES:
        definitions.of(kind).update(made.of(kind))
    definitions.documents.update(made.documents)
    problems += References(definitions).check()
    wrong = {
        f"{path}:{problem.line}: {problem.message}"
        for path in files
        for problem in problems
        if problem.file.endswith(f"/{path}")
    }
    if wrong:
        listed = "\n  ".join(sorted(wrong))
        raise DriverError(f"The new definition would not be valid:\n  {listed}")


def base_type(column: Column) -> str:
    """A type without its precision or its fields."""
    return column.type.lower().split("(")[0].split("<")[0]


def sample(column: Column) -> str:
    """A value of a column's type, as a case has it."""
    return SAMPLES[base_type(column)]


def title(name: str) -> str:
    """A name as people say it."""
    return name.replace("_", " ")


def names(columns: list[Column]) -> str:
    """A list of column names."""
    return ", ".join(column.name for column in columns)


def yaml_text(text: str, indent: int, key: str = "comment") -> str:
    """A text after its key, in one line where it fits, else folded below it."""
    quoted = "'" + text.replace("'", "''") + "'"
    if indent + len(f"{key}: ") + len(quoted) <= WIDTH:
        return quoted
    margin = " " * (indent + 2)
    lines = textwrap.wrap(text, WIDTH - len(margin), break_long_words=False)
    return ">-\n" + "\n".join(margin + line for line in lines)
