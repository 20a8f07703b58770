"""Everything that a definition names must exist: tables, columns, functions, models."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from health_monitor.spec import kinds
from health_monitor.spec.base import Definition
from health_monitor.spec.dashboards import check_dashboard
from health_monitor.spec.documents import Place
from health_monitor.spec.functions import parse_function
from health_monitor.spec.governance import Grant, Policy
from health_monitor.spec.governance_checks import (
    unprotected,
    wrong_function,
    wrong_grant,
    wrong_policy,
)
from health_monitor.spec.information_schema import INFORMATION_SCHEMA
from health_monitor.spec.job_references import JobReferences
from health_monitor.spec.jobs import Job, placeholders
from health_monitor.spec.loader import Definitions
from health_monitor.spec.platform import PLATFORM_TABLES
from health_monitor.spec.problems import Problem
from health_monitor.spec.sql import (
    Checker,
    SqlError,
    expression_columns,
    output_columns,
    parameters,
)

# What the job of a runbook gives to its checks.
CHECK_VALUES = ("admins", "job_prefix", "principals")
BRONZE_ADDS = ("ingested_at", "row_key", "rescued_data")
SNAPSHOT_ADDS = ("snapshot_date",)
QUARANTINE = frozenset({"record", "broken_rules", "quarantined_at", "batch"})
HISTORY = ("__start_at", "__end_at")
VALIDITY = ("valid_from", "valid_to")
CHANGE = frozenset({"_change_type", "_commit_version", "_commit_timestamp"})
PLATFORM = {name: frozenset(table.columns) for name, table in PLATFORM_TABLES.items()}


def bronze_columns(table: kinds.Bronze) -> list[str]:
    """What a bronze table holds: its source's columns, derived ones and when they were read."""
    snapshot = SNAPSHOT_ADDS if table.mode == "daily_snapshot" else ()
    return [*table.columns, *table.derived, *snapshot, *BRONZE_ADDS]


def silver_columns(table: kinds.Silver, bronze: kinds.Bronze) -> list[str]:
    """What a silver table holds: bronze's columns, its own, and validity where it has history."""
    history = HISTORY if table.keeps == "history" else ()
    return [*bronze_columns(bronze), *table.columns, *history]


def shapes(definitions: Definitions) -> dict[str, frozenset[str]]:
    """Every table of the platform with its columns."""
    found: dict[str, frozenset[str]] = {**PLATFORM, **INFORMATION_SCHEMA}
    for bronze in definitions.bronze.values():
        found[bronze.table] = frozenset(bronze_columns(bronze))
    for silver in definitions.silver.values():
        source = definitions.bronze.get(silver.reads.removeprefix("bronze_"))
        if source is not None:
            found[silver.table] = frozenset(silver_columns(silver, source))
        found[silver.quarantine] = QUARANTINE
    for gold in definitions.gold.values():
        found[gold.table] = frozenset(gold.columns)
    for view in definitions.metric_views.values():
        fields = [*view.dimensions, *view.measures]
        found[view.view] = frozenset(item.name for item in fields)
    for monitor in definitions.monitors.values():
        found |= _monitor_tables(monitor)
    return found


def _monitor_tables(monitor: kinds.Monitor) -> dict[str, frozenset[str]]:
    name = monitor.table.removeprefix("gold.")
    common = ["window", "granularity", "monitor_version", "slice_key", "slice_value"]
    common += ["column_name", "data_type"]
    profile = [*common, "log_type", "commit_timestamp", "logging_table_commit_version", "count"]
    profile += ["num_nulls", "avg", "min", "max", "stddev", "quantiles", "distinct_count"]
    profile += ["percent_null", "percent_zeros", "percent_distinct", "non_null_columns", "median"]
    drift = [*common, "window_cmp", "drift_type", "count_delta", "avg_delta"]
    drift += ["percent_null_delta", "population_stability_index", "js_distance", "ks_test"]
    metrics = monitor.metrics
    return {
        f"gold_monitoring.{name}_profile_metrics": frozenset(
            [*profile, *metrics.aggregate, *metrics.derived]
        ),
        f"gold_monitoring.{name}_drift_metrics": frozenset([*drift, *metrics.drift]),
    }


@dataclass
class References:
    """Checks the references of all definitions."""

    definitions: Definitions
    problems: list[Problem] = field(default_factory=list)

    def check(self) -> list[Problem]:
        self.shapes = shapes(self.definitions)
        self.functions = frozenset(f.function for f in self.definitions.functions.values())
        checks: dict[str, Callable[..., None]] = {
            "bronze": self._bronze,
            "silver": self._silver,
            "gold": self._gold,
            "functions": self._function,
            "metric_views": self._metric_view,
            "models": self._model,
            "monitors": self._monitor,
            "alerts": self._alert,
            "dashboards": self._dashboard,
            "policies": self._policy,
            "grants": self._grant,
            "checks": self._check,
            "jobs": self._job,
        }
        for definition in self.definitions:
            checks[definition.kind](definition)
        for table in self.definitions.gold.values():
            for place, message in unprotected(self.definitions, table):
                self._say(table, place, message)
        return self.problems

    def _say(self, definition: Definition, place: Place, message: str) -> None:
        document = self.definitions.documents.get(definition.path)
        line = document.line(place) if document else 1
        file = document.file if document else str(self.definitions.root / definition.path)
        self.problems.append(Problem(file, line, message))

    def _among(
        self, definition: Definition, place: Place, names: Iterable[str], known: Iterable[str]
    ) -> None:
        allowed = sorted(known)
        for name in names:
            if name.lower() not in allowed:
                message = f"column {name} does not exist; there are: {', '.join(allowed)}"
                self._say(definition, place, message)

    def _expression(
        self, definition: Definition, place: Place, text: str, known: Iterable[str]
    ) -> None:
        try:
            self._among(definition, place, sorted(expression_columns(text)), known)
        except SqlError as error:
            self._say(definition, place, str(error))

    def _query(
        self, file: str, sql: str, offset: int = 0, extra: frozenset[str] = frozenset()
    ) -> None:
        shown = str(self.definitions.root / file)
        try:
            findings = Checker(self.shapes, self.functions, extra).check(sql)
        except SqlError as error:
            self.problems.append(Problem(shown, error.line + offset, str(error)))
            return
        self.problems += [Problem(shown, f.line + offset, f.message) for f in findings]

    def _bronze(self, table: kinds.Bronze) -> None:
        self._among(table, ("key",), table.key, table.columns)
        if table.watermark:
            watermark = [table.watermark.column, table.watermark.prune_by or ""]
            self._among(table, ("watermark",), filter(None, watermark), table.columns)
        protect, readable = table.protect, [*table.columns, *table.protect.drop]
        for kept in sorted({*protect.drop} & {*table.columns}):
            self._say(table, ("columns", kept), f"column {kept} is dropped: do not declare it")
        for how in ("hash", "redact", "rewrite"):
            names = [path.split(".")[0] for path in getattr(protect, how)]
            self._among(table, ("protect", how), names, table.columns)
        for path, expression in protect.rewrite.items():
            self._expression(table, ("protect", "rewrite", path), expression, readable)
        for name, column in table.derived.items():
            self._expression(table, ("derived", name, "expression"), column.expression, readable)

    def _silver(self, table: kinds.Silver) -> None:
        source = self.definitions.bronze.get(table.reads.removeprefix("bronze_"))
        if source is None or source.table != f"bronze.{table.reads}":
            known = ", ".join(f"bronze_{name}" for name in self.definitions.bronze)
            self._say(table, ("reads",), f"table {table.reads} does not exist; there are: {known}")
            return
        columns = [*bronze_columns(source), *table.columns]
        self._among(table, ("key",), table.key, columns)
        self._among(
            table, ("sequence_by",), [table.sequence_by] if table.sequence_by else [], columns
        )
        self._among(table, ("untracked",), table.untracked, columns)
        for name, column in table.columns.items():
            place = ("columns", name, "expression")
            self._expression(table, place, column.expression, bronze_columns(source))
        for level in ("warn", "drop", "fail"):
            for rule, condition in getattr(table.expectations, level).items():
                self._expression(table, ("expectations", level, rule), condition, columns)

    def _gold(self, table: kinds.Gold) -> None:
        self._among(table, ("key",), table.key, table.columns)
        if table.type == "table" and not table.key:
            self._say(table, (), "key 'key' is missing: a table needs one")
        if bool(table.sql) == (table.filled_by is not None):
            self._say(table, (), "either a .sql file beside it or 'filled_by' fills a gold table")
        if table.filled_by and table.filled_by not in self.definitions.models:
            self._say(table, ("filled_by",), f"model {table.filled_by} does not exist")
        for index, foreign in enumerate(table.foreign_keys):
            self._foreign_key(table, ("foreign_keys", index), foreign)
        if table.refresh:
            self._refresh(table, table.refresh)
        for index, row in enumerate(table.rows):
            self._among(table, ("rows", index), row, table.columns)
        if table.sql:
            self._query(table.sql_path, table.sql)
            self._outputs(table)

    def _outputs(self, table: kinds.Gold) -> None:
        """The query must give the columns that the definition declares, all of them."""
        try:
            given = output_columns(table.sql)
        except SqlError:
            return
        missing = [name for name in table.columns if name not in given]
        unknown = [name for name in given if name not in table.columns]
        if missing and "*" not in given:
            self._say(table, ("columns",), f"{table.sql_path} does not give: {', '.join(missing)}")
        if unknown:
            self._say(table, ("columns",), f"{table.sql_path} also gives: {', '.join(unknown)}")

    def _foreign_key(self, table: kinds.Gold, place: Place, foreign: kinds.ForeignKey) -> None:
        self._among(table, place, foreign.columns, table.columns)
        target = self.definitions.gold.get(foreign.references.removeprefix("gold."))
        if target is None:
            self._say(table, place, f"table {foreign.references} does not exist")
        elif len(target.key) != len(foreign.columns):
            key = ", ".join(target.key)
            self._say(table, place, f"the key of {foreign.references} is ({key})")

    def _refresh(self, table: kinds.Gold, refresh: kinds.Refresh) -> None:
        self._among(table, ("refresh", "by"), [refresh.by], table.columns)
        for index, feed in enumerate(refresh.feeds):
            place = ("refresh", "feeds", index)
            known = self.shapes.get(feed.table)
            if known is None:
                tables = ", ".join(sorted(self.shapes))
                self._say(table, place, f"table {feed.table} does not exist; there are: {tables}")
            elif feed.touches:
                self._touches(table, (*place, "touches"), feed.touches, known | CHANGE)
            elif feed.versions:
                self._versions(table, (*place, "versions"), feed.versions, known)

    def _touches(self, table: kinds.Gold, place: Place, sql: str, known: frozenset[str]) -> None:
        try:
            found = Checker({**self.shapes, "changes": known}, self.functions).check(sql)
        except SqlError as error:
            self._say(table, place, str(error))
            return
        for finding in found:
            self._say(table, place, finding.message)

    def _versions(
        self, table: kinds.Gold, place: Place, versions: kinds.Versions, known: frozenset[str]
    ) -> None:
        self._among(table, (*place, "key"), versions.key, known)
        self._among(table, (*place, "key"), versions.key.values(), table.columns)
        self._expression(table, (*place, "at"), versions.at, table.columns)
        if not known.issuperset(HISTORY) and not known.issuperset(VALIDITY):
            self._say(table, place, "versions need a feed with a history")

    def _function(self, function: kinds.Function) -> None:
        parsed = parse_function(function.sql)
        names = frozenset(p.name for p in function.parameters)
        self._query(function.path, parsed.query, parsed.query_line - 1, names)

    def _metric_view(self, view: kinds.MetricView) -> None:
        sources = {"source": view.source} | {join.name: join.source for join in view.joins}
        for alias, table in sources.items():
            if table not in self.shapes:
                known = ", ".join(sorted(self.shapes))
                self._say(view, (alias,), f"table {table} does not exist; there are: {known}")
        for part in ("dimensions", "measures"):
            for index, item in enumerate(getattr(view, part)):
                self._metric(view, (part, index), item, sources)

    def _metric(
        self, view: kinds.MetricView, place: Place, item: kinds.MetricField, sources: dict[str, str]
    ) -> None:
        names = [f.name for f in [*view.dimensions, *view.measures]]
        columns = " ".join(f"SELECT {item.expr} FROM {view.source} AS source".split())
        joins = " ".join(f"JOIN {join.source} AS {join.name} ON {join.on}" for join in view.joins)
        if any(table not in self.shapes for table in sources.values()):
            return
        try:
            found = Checker(self.shapes, extra=frozenset(names)).check(f"{columns} {joins}")
        except SqlError as error:
            self._say(view, place, str(error))
            return
        for finding in found:
            self._say(view, place, finding.message)

    def _model(self, model: kinds.Model) -> None:
        for place in ("source", "scores"):
            table = getattr(model, place)
            known = self.shapes.get(table)
            if known is None:
                self._say(model, (place,), f"table {table} does not exist")
            else:
                self._among(model, ("grain",), [*model.grain, model.value], known)

    def _monitor(self, monitor: kinds.Monitor) -> None:
        known = self.shapes.get(monitor.table)
        if known is None:
            self._say(monitor, ("table",), f"table {monitor.table} does not exist")
            return
        self._among(monitor, ("timestamp_col",), [monitor.timestamp_col], known)
        for index, expression in enumerate(monitor.slices):
            self._expression(monitor, ("slices", index), expression, known)
        metrics = monitor.metrics
        for name, metric in metrics.aggregate.items():
            place = ("metrics", "aggregate", name)
            if "{{" not in metric.definition:
                self._expression(monitor, place, metric.definition, known)
        built_in = {"count", "num_nulls", "avg", "min", "max", "stddev", "distinct_count"}
        same_row = {*metrics.aggregate, *metrics.derived, *built_in}
        for name, metric in metrics.derived.items():
            self._expression(monitor, ("metrics", "derived", name), metric.definition, same_row)
        for name, metric in metrics.drift.items():
            text = metric.definition.replace("{{current_df}}.", "").replace("{{base_df}}.", "")
            self._expression(monitor, ("metrics", "drift", name), text, same_row)

    def _alert(self, alert: kinds.Alert) -> None:
        if not alert.sql:
            self._say(alert, (), f"no query: {alert.path.removesuffix('.yml')}.sql is missing")
            return
        self._query(alert.sql_path, alert.sql)
        try:
            given = output_columns(alert.sql)
        except SqlError:
            return
        self._among(alert, ("source",), [alert.source.column], given)
        if alert.threshold and alert.threshold.column:
            self._among(alert, ("threshold",), [alert.threshold.column], given)

    def _policy(self, policy: Policy) -> None:
        file = str(self.definitions.root / policy.sql_path)
        for message in wrong_function(policy) if policy.sql else ():
            self.problems.append(Problem(file, 1, message))
        for place, message in wrong_policy(self.definitions, policy):
            self._say(policy, place, message)

    def _grant(self, grant: Grant) -> None:
        for place, message in wrong_grant(self.definitions, grant):
            self._say(grant, place, message)

    def _check(self, check: kinds.Check) -> None:
        if not check.sql:
            self._say(check, (), f"no query: {check.path.removesuffix('.yml')}.sql is missing")
            return
        self._query(check.sql_path, check.sql)
        try:
            given = output_columns(check.sql)
        except SqlError:
            return
        self._among(check, ("says",), placeholders([check.says]), given)
        for name in sorted(parameters(check.sql)):
            if name not in CHECK_VALUES:
                known = ", ".join(f":{value}" for value in CHECK_VALUES)
                problem = f"parameter :{name} does not exist; there are: {known}"
                self.problems.append(
                    Problem(str(self.definitions.root / check.sql_path), 1, problem)
                )
        if check.domain not in self.definitions.jobs:
            known = ", ".join(sorted(self.definitions.jobs)) or "none"
            self._say(check, (), f"no job {check.domain} asks this; there are: {known}")

    def _job(self, job: Job) -> None:
        items = self.definitions.items(job.each) if job.each else [None]
        made = {job.name_for(item) for item in items}
        for other in self.definitions.jobs.values():
            if other.name in made and other is not job:
                self._say(job, ("makes",), f"name '{other.name}' is taken by {other.path}")
        for place, message in JobReferences(self.definitions.jobs).check(job):
            self._say(job, place, message)

    def _dashboard(self, dashboard: kinds.Dashboard) -> None:
        file = str(self.definitions.root / dashboard.path)
        found = check_dashboard(dashboard, self.shapes, self.functions)
        self.problems += [Problem(file, f.line, f.message) for f in found]
