"""Asks the checks of a runbook, says what they found, and keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from health_monitor.runtime import full_name
from health_monitor.spec import Check, qualify
from health_monitor.spec.jobs import filled
from health_monitor.spec.sql import parameters
from health_monitor.tables import ensure_tables, platform_shape

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RESULTS = "platform.check_results"
UNKNOWN = "unknown"
Status = Literal["ok", "reported", "failed", "not_checked"]


@dataclass(frozen=True)
class Outcome:
    """What a check found: how many rows, and the first of them in words."""

    check: str
    status: Status
    findings: int | None
    lines: Sequence[str]

    @property
    def is_wrong(self) -> bool:
        """Whether the run must fail; what could not be checked may be wrong."""
        return self.status in ("failed", "not_checked")


def ask_all(
    spark: SparkSession, checks: Iterable[Check], catalog: str, values: Mapping[str, str]
) -> list[Outcome]:
    """Every check, one after the other; one that cannot be asked is an outcome too."""
    return [ask(spark, check, catalog, values) for check in checks]


def ask(spark: SparkSession, check: Check, catalog: str, values: Mapping[str, str]) -> Outcome:
    """One check; ``values`` are those of its parameter markers."""
    from pyspark.errors import PySparkException

    given = {name: values[name] for name in parameters(check.sql)}
    try:
        rows = spark.sql(qualify(check.sql, catalog), args=given).collect()
    except PySparkException as error:
        return Outcome(check.name, "not_checked", None, [str(error).splitlines()[0]])
    return found(check, [row.asDict() for row in rows])


def found(check: Check, rows: Sequence[Mapping[str, Any]]) -> Outcome:
    """What the rows of a check mean."""
    lines = [filled(check.says, _words(row)) for row in rows[: check.most]]
    status: Status = "ok"
    if rows:
        status = "failed" if check.fails else "reported"
    return Outcome(check.name, status, len(rows), lines)


def _words(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: UNKNOWN if value is None else str(value) for name, value in row.items()}


def report(outcomes: Iterable[Outcome]) -> str:
    """What a person reads: a line a check, and its findings below it."""
    lines = []
    for outcome in outcomes:
        count = UNKNOWN if outcome.findings is None else f"{outcome.findings} found"
        lines.append(f"[{outcome.status}] {outcome.check}: {count}")
        lines += [f"    {line}" for line in outcome.lines]
        more = (outcome.findings or 0) - len(outcome.lines)
        if more > 0:
            lines.append(f"    and {more} more")
    return "\n".join(lines)


def verdict(runbook: str, outcomes: Sequence[Outcome]) -> str | None:
    """Why the run must fail, in one line; None where nothing is wrong."""
    wrong = [f"{outcome.check} ({outcome.status})" for outcome in outcomes if outcome.is_wrong]
    if not wrong:
        return None
    return f"{runbook}: {len(wrong)} of {len(outcomes)} checks are wrong: {', '.join(wrong)}"


def record(
    spark: SparkSession, catalog: str, runbook: str, outcomes: Iterable[Outcome], now: datetime
) -> None:
    """Append the outcomes of a run to the platform's own table."""
    ensure_tables(spark, [platform_shape(RESULTS)], catalog)
    target = full_name(catalog, RESULTS)
    rows = [
        (runbook, o.check, o.status, o.findings, "\n".join(o.lines) or None, now) for o in outcomes
    ]
    frame = spark.createDataFrame(rows, spark.table(target).schema)
    frame.write.mode("append").saveAsTable(target)
