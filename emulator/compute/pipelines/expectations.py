"""Expectations: counted, and applied, in the same pass that writes the rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.compute.pipelines.model import (
    Expectation,
    ExpectationCount,
    ExpectationFailure,
)

_ROWS = "rows"
_DROPPED = "dropped"


@dataclass
class Checked:
    """Rows with the expectations applied; the counts are known once they were written."""

    dataset: str
    expectations: Sequence[Expectation]
    before: Any
    after: Any
    observation: Any
    marker: str

    def counts(self) -> tuple[int, int, list[ExpectationCount]]:
        """Rows seen, rows dropped, and the counts of each expectation."""
        found = self.observation.get or self._count_again()
        rows = int(found[_ROWS])
        counts = []
        for position, rule in enumerate(self.expectations):
            failed = int(found[_rule(position)])
            counts.append(ExpectationCount(rule.name, self.dataset, rows - failed, failed))
        return rows, int(found[_DROPPED]), counts

    def failure(self) -> ExpectationFailure | None:
        """The error that says which expectations failed, and by how many rows; None if none did."""
        found = self._count_again()
        broken = [
            f"{rule.name!r} ({rule.condition}) by {found[_rule(position)]} of {found[_ROWS]} rows"
            for position, rule in enumerate(self.expectations)
            if rule.action == "fail" and found[_rule(position)]
        ]
        if not broken:
            return None
        return ExpectationFailure(
            f"dataset {self.dataset!r} failed its expectation " + ", ".join(broken)
        )

    def _count_again(self) -> dict[str, int]:
        # Needed when the write did not run: it failed, or Delta knew that it was done before.
        row = self.before.agg(*_metrics(self.expectations)).collect()[0]
        return dict(row.asDict())


def check(frame: Any, dataset: str, expectations: Sequence[Expectation]) -> Checked:
    """Count each expectation's violations, drop what is to be dropped, stop where one must."""
    from pyspark.sql.connect import functions as F
    from pyspark.sql.connect.observation import Observation

    observation = Observation(uuid.uuid4().hex)
    marker = f"expectation-{uuid.uuid4().hex}"
    after = frame.observe(observation, *_metrics(expectations))
    keep = ~_any_violated(expectations, "drop")
    if any(rule.action == "fail" for rule in expectations):
        stop = F.raise_error(F.lit(marker)).cast("boolean")
        after = after.where(F.when(_any_violated(expectations, "fail"), stop).otherwise(keep))
    elif any(rule.action == "drop" for rule in expectations):
        after = after.where(keep)
    return Checked(dataset, expectations, frame, after, observation, marker)


def raise_failure(error: Exception, checked: Iterable[Checked]) -> None:
    """Raise what stopped a write, if an expectation did; of a lone task Spark tells no cause."""
    text = str(error)
    for rules in checked:
        can_stop = any(rule.action == "fail" for rule in rules.expectations)
        if can_stop and (rules.marker in text or "TASK_WRITE_FAILED" in text):
            failure = rules.failure()
            if failure is not None:
                raise failure from error


def _metrics(expectations: Sequence[Expectation]) -> list[Any]:
    from pyspark.sql.connect import functions as F

    return [
        F.count(F.lit(1)).alias(_ROWS),
        F.count_if(_any_violated(expectations, "drop")).alias(_DROPPED),
        *(
            F.count_if(_violated(rule)).alias(_rule(position))
            for position, rule in enumerate(expectations)
        ),
    ]


def _violated(rule: Expectation) -> Any:
    from pyspark.sql.connect import functions as F

    return ~F.coalesce(F.expr(f"({rule.condition})").cast("boolean"), F.lit(False))


def _any_violated(expectations: Sequence[Expectation], action: str) -> Any:
    from pyspark.sql.connect import functions as F

    result = F.lit(False)
    for rule in expectations:
        if rule.action == action:
            result = result | _violated(rule)
    return result


def _rule(position: int) -> str:
    return f"rule_{position}"
