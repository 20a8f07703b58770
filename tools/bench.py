"""How fast and how large: ratios within one run on two cores (see docs/decisions/0008-bench.md)."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.table import Table

from emulator.settings import CATALOG
from tools import bench_infra, bench_memory
from tools.bench_duckdb import DuckTables
from tools.bench_platform import CURRENCY, Account, Platform, Timing
from tools.bench_reference import Straightforward
from tools.console import Steps
from tools.paths import LOCAL

CORES = 2
GROWTH = 10
GIB = 1024**3


NOT_COMPARED = (
    "DuckDB keeps its tables in memory: no bronze, no quarantine, no counts of rules, no keys, no "
    "history of its own; it multiplies wide decimals as doubles"
)


@dataclass
class Sizes:
    """What a person may choose for `make bench`."""

    usage_rows: int = 60_000
    days: int = 120
    memory_rows: int = 60_000
    repeat: int = 1
    figures: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5, 6, 7])


@dataclass(frozen=True)
class Figure:
    """One figure: a ratio, GiB or seconds, what it may be at most, what it was made from."""

    number: int
    name: str
    value: float
    limit: float | None
    parts: dict[str, Any]

    @property
    def holds(self) -> bool | None:
        return None if self.limit is None else self.value <= self.limit


@dataclass
class History:
    """A platform, and what bringing its days in took."""

    platform: Platform
    first: Timing
    days: list[Timing] = field(default_factory=list)

    @property
    def day(self) -> float:
        return statistics.median(timing.seconds for timing in self.days)


def run(sizes: Sizes, report: Path | None, steps: Steps) -> None:
    """Measure, show, and write the JSON when a file is named."""
    _use_two_cores()
    LOCAL.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=LOCAL))
    figures: list[Figure] = []
    try:
        if {1, 2, 3} & {*sizes.figures}:
            figures += _platform_figures(folder, sizes, steps)
        if 4 in sizes.figures:
            figures.append(_memory(folder / "memory", sizes, steps))
        if {5, 6, 7} & {*sizes.figures}:
            figures += _infra(folder / "infra", sizes, steps)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    steps.console.print(table(figures, sizes))
    if report is not None:
        report.write_text(json.dumps(document(figures, sizes), indent=2) + "\n", encoding="utf-8")
        steps.console.print(f"wrote {report}", highlight=False)


def _use_two_cores() -> None:
    """All that is started from here inherits it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def _platform_figures(folder: Path, sizes: Sizes, steps: Steps) -> list[Figure]:
    with ExitStack() as stack:
        long = _first_load(stack, folder / "long", sizes, 1, steps)
        # Before more days come: DuckDB reads the files that the first load read.
        figures = [_duckdb(long, steps)] if 3 in sizes.figures else []
        histories = [long]
        if 1 in sizes.figures:
            histories.append(_first_load(stack, folder / "short", sizes, GROWTH, steps))
        if {1, 2} & {*sizes.figures}:
            _more_days(histories, sizes, steps)
        if 1 in sizes.figures:
            figures.append(_growth(*histories))
        if 2 in sizes.figures:
            figures.append(_straightforward(long, steps))
    return sorted(figures, key=lambda figure: figure.number)


def _more_days(histories: list[History], sizes: Sizes, steps: Steps) -> None:
    for number in range(1, sizes.repeat + 1):
        with steps.step(f"Day {number} of {sizes.repeat} more, on each history") as step:
            for history in histories:
                history.platform.account.add_day()
                history.platform.bring_in()
                history.days.append(history.platform.refresh())
            step.say(" and ".join(f"{history.days[-1].seconds:.1f} s" for history in histories))


def _first_load(stack: ExitStack, folder: Path, sizes: Sizes, part: int, steps: Steps) -> History:
    days, usage_rows = sizes.days // part, sizes.usage_rows // part
    with steps.step(f"First load of {days} days, {usage_rows:,} usage rows") as step:
        account = Account(folder / "account")
        last_day = datetime.now(UTC).date() - timedelta(days=sizes.repeat + 2)
        step.say("simulating")
        account.simulate(days, usage_rows, last_day)
        step.say("starting Spark, system tables")
        platform = stack.enter_context(Platform(folder / "platform", account))
        platform.bring_in()
        platform.set_up()
        step.say("bronze, silver, gold")
        history = History(platform, platform.refresh())
        platform.check_cost()
        step.say(f"refresh {history.first.seconds:.1f} s")
        return history


def _growth(long: History, short: History) -> Figure:
    parts = {
        "seconds a day": {"short history": _seconds(short), "long history": _seconds(long)},
        "layers of the last day, short history": _rounded(short.days[-1].layers),
        "layers of the last day, long history": _rounded(long.days[-1].layers),
        "its slowest tables": long.days[-1].slowest(),
    }
    name = f"one more day: {GROWTH} times the history to 1"
    return Figure(1, name, long.day / short.day, 1.3, parts)


def _straightforward(long: History, steps: Steps) -> Figure:
    """On the same tables and last, since it writes silver around the pipeline."""
    with steps.step("One more day in the straightforward way") as step:
        platform = long.platform
        platform.check_cost()
        platform.account.add_day()
        platform.bring_in()
        platform.activate()
        reference = Straightforward(platform.spark, platform.definitions, CATALOG).refresh()
        platform.check_cost()
        step.say(f"refresh {reference.seconds:.1f} s")
    parts = {
        "seconds a day": {
            "platform": _seconds(long),
            "straightforward": round(reference.seconds, 1),
        },
        "layers, straightforward": _rounded(reference.layers),
        "tables": len(reference.tables),
    }
    return Figure(
        2, "daily refresh: platform to straightforward", long.day / reference.seconds, 0.4, parts
    )


def _duckdb(long: History, steps: Steps) -> Figure:
    platform = long.platform
    with steps.step("DuckDB, the same tables from the same files") as step:
        duck = DuckTables(platform.definitions, platform.account.tables, CURRENCY).compute()
        step.say(f"{len(duck.rows)} tables in {duck.total:.1f} s")
    ours = {table: platform.rows(table) for table in duck.rows}
    other = sorted(t for t, rows in duck.rows.items() if ours[t] not in (None, rows))
    parts = {
        "seconds": {"platform": round(long.first.seconds, 1), "DuckDB": round(duck.total, 1)},
        "where the platform's time goes": _rounded(long.first.layers),
        "its slowest tables": long.first.slowest(),
        "tables and views by DuckDB": len(duck.rows),
        "with another number of rows": ", ".join(other) or "none",
        "DuckDB could not": "; ".join(f"{t}: {why}" for t, why in duck.failed.items()) or "none",
        "not compared": NOT_COMPARED,
    }
    value = long.first.seconds / duck.total
    return Figure(3, "first load: platform to DuckDB", value, None, parts)


def _memory(folder: Path, sizes: Sizes, steps: Steps) -> Figure:
    with steps.step(f"Memory of `make local` with {sizes.memory_rows:,} usage rows") as step:
        found = bench_memory.measure(folder, sizes.days, sizes.memory_rows, step)
        step.say(f"peak {found.peak.total / GIB:.2f} GiB")
    parts = {
        "GiB at the peak": {k: round(v / GIB, 2) for k, v in found.peak.parts.items()},
        "rows of fact_usage": found.usage_rows,
        "share of them that the next day wrote": round(found.touched, 4),
    }
    return Figure(4, "peak memory of emulator and Spark, GiB", found.peak.total / GIB, 12.0, parts)


def _infra(folder: Path, sizes: Sizes, steps: Steps) -> list[Figure]:
    folder.mkdir()
    with steps.step(f"Infrastructure of {bench_infra.RESOURCES:,} resources") as step:
        found = bench_infra.measure(folder, step.say, deploys=6 in sizes.figures)
    load = round(os.getloadavg()[0], 1)
    counted = {"resources": found.resources, "load of the machine": load}
    synth, review = found.works["synth"], found.review
    parts = {"changes": review.changes, "CPU, s": round(review.cpu_seconds, 1)}
    figures = [
        Figure(5, "synth, s", synth.seconds, 10.0, counted | {"seconds": synth.document()}),
        Figure(7, "review of a plan, s", review.seconds, 3.0, parts),
    ]
    if 6 in sizes.figures:
        seconds = sum(found.works[name].seconds for name in bench_infra.FIRST_DEPLOY)
        parts = counted | bench_infra.parts(found)
        figures.insert(1, Figure(6, "plan and deploy, s", seconds, None, parts))
    return [figure for figure in figures if figure.number in sizes.figures]


def _seconds(history: History) -> float:
    return round(history.day, 1)


def _rounded(layers: dict[str, float]) -> dict[str, float]:
    return {name: round(seconds, 1) for name, seconds in layers.items()}


def table(figures: list[Figure], sizes: Sizes) -> Table:
    title = f"{sizes.usage_rows:,} usage rows, {sizes.days} days, {CORES} cores"
    grid = Table(title=f"Bench: {title}", min_width=76)
    for heading in ("figure", "value", "at most", "made from"):
        grid.add_column(heading, overflow="fold")
    for figure in figures:
        limit = "reported" if figure.limit is None else f"{figure.limit:g}"
        colour = "red" if figure.holds is False else "green"
        details = "\n".join(f"{name}: {_text(part)}" for name, part in figure.parts.items())
        value = f"[{colour}]{figure.value:.2f}[/{colour}]"
        grid.add_row(f"{figure.number}. {figure.name}", value, limit, details)
    return grid


def _text(part: Any) -> str:
    if isinstance(part, dict):
        return ", ".join(f"{name} {value:g}" for name, value in part.items())
    return str(part)


def document(figures: list[Figure], sizes: Sizes) -> dict[str, Any]:
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": CORES,
        "sizes": asdict(sizes),
        "figures": [{**asdict(figure), "holds": figure.holds} for figure in figures],
    }
