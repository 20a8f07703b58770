"""The layers of the platform over one account, on a Spark of their own, timed table by table.

The functions that the deployed jobs call do the work, so that what is measured is what runs.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from health_monitor import entry_points
from health_monitor.spec import Definitions, load_definitions

from emulator.account.loader import import_folder
from emulator.compute.connect import open_session
from emulator.compute.pipelines import PipelineRequest, Source, run_update
from emulator.compute.sizing import adapt
from emulator.compute.spark_server import SparkServer
from emulator.settings import CATALOG, Settings
from emulator.sql.catalog_store import CatalogStore
from emulator.sql.delta_log import DeltaLog
from emulator.sql.session import install
from tools.console import DriverError
from tools.independent_cost import daily_cost
from tools.paths import JARS, PYTHON, ROOT

DEFINITIONS = ROOT / "workloads" / "definitions"
SILVER_NOTEBOOK = ROOT / "workloads" / "notebooks" / "silver" / "pipeline.py"
SCHEMAS = ("bronze", "silver", "gold", "platform")
CURRENCY = "USD"
CENT = Decimal("0.01")
TIMED = re.compile(r"^((?:bronze|gold)\.\w+): .* \((\d+\.\d) s\)$", re.MULTILINE)


@dataclass
class Timing:
    """Seconds by layer, and by table where a table says how long it took."""

    layers: dict[str, float] = field(default_factory=dict)
    tables: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return sum(self.layers.values())

    @contextmanager
    def layer(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.layers[name] = self.layers.get(name, 0) + time.perf_counter() - started

    def slowest(self, count: int = 5) -> dict[str, float]:
        ordered = sorted(self.tables.items(), key=lambda item: -item[1])
        return {name: round(seconds, 1) for name, seconds in ordered[:count]}


@dataclass
class Account:
    """A simulated account, made by its own command."""

    folder: Path

    @property
    def tables(self) -> Path:
        return self.folder / "tables"

    def simulate(self, days: int, usage_rows: int, last_day: date) -> None:
        sizes = ["--days", str(days), "--usage-rows", str(usage_rows)]
        self._run("simulate", *sizes, "--end", last_day.isoformat())

    def add_day(self) -> None:
        self._run("next-day")

    def _run(self, command: str, *arguments: str) -> None:
        result = subprocess.run(
            [str(PYTHON), "-m", "emulator.account", command, "--out", str(self.folder), *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise DriverError(f"The account could not be simulated: {result.stderr.strip()}")


class Platform:
    """All bronze, silver and gold tables; a context manager that ends its Spark."""

    def __init__(self, folder: Path, account: Account, root: Path = DEFINITIONS) -> None:
        self.account = account
        self.definitions: Definitions = load_definitions(root)
        self._folder = folder
        self._server = SparkServer(Settings(state=folder, jars=JARS))
        self._refreshed = False
        self.spark: Any = None

    def __enter__(self) -> Platform:
        self._folder.mkdir(parents=True)
        self._server.start()
        os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
        os.environ["SPARK_REMOTE"] = self._server.url
        self.spark = open_session(self._server.url)
        install(self.spark, CatalogStore(self._folder / "catalog.db"))
        for name in SCHEMAS:
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {CATALOG}.{name}")
        return self

    def __exit__(self, *_: object) -> None:
        if self.spark is not None:
            self.spark.stop()
        self._server.stop()

    def bring_in(self) -> None:
        """The account's files as system tables: what Databricks does, not the platform."""
        import_folder(self.spark, self.account.tables, progress=lambda _: None)

    def set_up(self) -> None:
        """Every table, empty."""
        self._call(entry_points.bronze_setup, system_catalog=CATALOG)
        self._call(entry_points.gold_setup, currency=CURRENCY)

    def refresh(self) -> Timing:
        """What the job data_refresh does, one task after the other."""
        timing = Timing()
        for domain in sorted({d.domain for d in self.definitions.bronze.values()}):
            with timing.layer("bronze"):
                said = self._call(entry_points.bronze_ingest, system_catalog=CATALOG, domain=domain)
            timing.tables |= timed(said)
        with timing.layer("silver"):
            timing.tables |= self._silver()
        with timing.layer("gold"):
            said = self._call(entry_points.gold_refresh, currency=CURRENCY)
        timing.tables |= timed(said)
        self._refreshed = True
        return timing

    def rows(self, table: str) -> int | None:
        """How many rows a table has; None for a view."""
        schema, name = table.split(".")
        return DeltaLog(self._folder / "warehouse" / f"{schema}.db" / name).rows()

    def activate(self) -> None:
        """Make this session the one that PySpark gives to whoever asks, whichever was before."""
        from pyspark.sql.connect.session import SparkSession

        adapt(self.spark, self._folder / "warehouse", repeats=self._refreshed)
        # PySpark's own way to set them leaves those that are set already.
        SparkSession._default_session = self.spark
        SparkSession._active_session.session = self.spark

    def check_cost(self) -> None:
        """DriverError unless every day, workspace and SKU costs what DuckDB says it costs."""
        rows = self.spark.sql(
            "SELECT usage_date, workspace_id, sku_name, SUM(effective_cost) "
            f"FROM {CATALOG}.gold.fact_usage GROUP BY ALL"
        ).collect()
        ours = {tuple(row)[:3]: row[3] for row in rows}
        theirs = daily_cost(self.account.tables, CURRENCY)
        wrong = [
            key
            for key in ours.keys() | theirs.keys()
            if (ours.get(key) is None) != (theirs.get(key) is None)
            or abs((ours.get(key) or Decimal(0)) - (theirs.get(key) or Decimal(0))) >= CENT / 2
        ]
        if wrong:
            raise DriverError(f"{len(wrong)} groups do not cost what DuckDB says: {wrong[:3]}")

    def _silver(self) -> dict[str, float]:
        request = PipelineRequest(
            pipeline_id="bench",
            update_id=uuid.uuid4().hex,
            name="silver",
            catalog=CATALOG,
            schema="silver",
            configuration={"catalog": CATALOG, "definitions": str(self.definitions.root)},
            sources=[Source(str(SILVER_NOTEBOOK), SILVER_NOTEBOOK.read_text(), "notebook")],
            full_refresh=False,
            state_folder=self._folder / "pipeline",
        )
        request.state_folder.mkdir(exist_ok=True)
        self.activate()
        result = run_update(self.spark, request, _NoEvents())
        if result.state != "COMPLETED":
            raise DriverError(f"The silver pipeline failed: {result.error}")
        return {name: flow.seconds for name, flow in result.flows.items()}

    def _call(self, function: Callable[[], None], **parameters: str) -> str:
        """Call a job's entry point as a task does; what it printed."""
        self.activate()
        given = {"catalog": CATALOG, "definitions": str(self.definitions.root), **parameters}
        arguments = [part for k, v in given.items() for part in (f"--{k.replace('_', '-')}", v)]
        before, sys.argv = sys.argv, [function.__name__, *arguments]
        output = io.StringIO()
        try:
            with redirect_stdout(output):
                function()
        except SystemExit as error:
            raise DriverError(f"{function.__name__} failed: {error}") from error
        finally:
            sys.argv = before
        return output.getvalue()


class _NoEvents:
    def emit(self, event: dict[str, Any]) -> None:
        """The event log is the workspace's; nobody reads it here."""


def timed(said: str) -> dict[str, float]:
    return {name: float(seconds) for name, seconds in TIMED.findall(said)}
