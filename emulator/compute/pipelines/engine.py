"""Runs one update of a pipeline: its datasets, each after those that it reads."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from emulator.compute.pipelines import expectations, tables, writers
from emulator.compute.pipelines.api import installed
from emulator.compute.pipelines.checkpoint import Checkpoint, CheckpointStore
from emulator.compute.pipelines.delta_log import DeltaTable, find_table, read_raw
from emulator.compute.pipelines.events import EventLog
from emulator.compute.pipelines.model import (
    Dataset,
    EventSink,
    Flow,
    FlowResult,
    PipelineError,
    PipelineRequest,
    UpdateResult,
    UpstreamFailure,
)
from emulator.compute.pipelines.reads import reads_through
from emulator.compute.pipelines.registry import Registry
from emulator.compute.pipelines.sources import run_source
from emulator.compute.pipelines.streams import Batch, StreamOptions, check_stateless
from emulator.compute.pipelines.turns import CircleError, Turns

# Small tables keep Spark's driver busy, not its executors: two cores plan and write side by side.
DATASETS_AT_ONCE = 3


def run_update(spark: Any, request: PipelineRequest, sink: EventSink) -> UpdateResult:
    """Run the pipeline's code and bring its tables up to date; a failure is in the result."""
    events = EventLog(sink, request)
    events.update_created()
    events.update_progress("INITIALIZING")
    update = _Update(spark, request, events)
    try:
        with _session(spark, request), installed(update.registry), reads_through(spark, update):
            update.define()
            events.update_progress("RUNNING")
            update.run()
    except Exception as error:  # noqa: BLE001 - the pipeline's own code may raise anything
        text = describe(error)
        events.update_progress("FAILED", text)
        return UpdateResult("FAILED", update.results, text)
    failures = [f"{name}: {r.error}" for name, r in update.results.items() if r.error]
    if failures:
        text = "\n".join(failures)
        events.update_progress("FAILED", text)
        return UpdateResult("FAILED", update.results, text)
    events.update_progress("COMPLETED")
    return UpdateResult("COMPLETED", update.results)


class _Update:
    """One update while it runs."""

    def __init__(self, spark: Any, request: PipelineRequest, events: EventLog) -> None:
        self.registry = Registry(request.catalog, request.schema)
        self.results: dict[str, FlowResult] = {}
        self._spark = spark
        self._request = request
        self._events = events
        self._checkpoints = CheckpointStore(request.state_folder)
        self._stacks = threading.local()
        self._tables: dict[str, tuple[DeltaTable, int]] = {}
        self._turns = Turns()

    @property
    def _running(self) -> list[str]:
        """The datasets that this thread is at, the innermost last."""
        if not hasattr(self._stacks, "running"):
            self._stacks.running = []
        running: list[str] = self._stacks.running
        return running

    @property
    def _batches(self) -> list[Batch]:
        """The batches that this thread is at, the innermost last."""
        if not hasattr(self._stacks, "batches"):
            self._stacks.batches = []
        batches: list[Batch] = self._stacks.batches
        return batches

    def define(self) -> None:
        """Let the source files register their datasets."""
        for source in self._request.sources:
            run_source(source, {"spark": self._spark, **self._request.namespace})
        self.registry.check()
        for key, dataset in self.registry.datasets.items():
            self._events.dataset_defined(self._label(key), dataset)

    def run(self) -> None:
        """Update all datasets, several at a time unless a flow has settings of its own.

        Spark's settings are the session's, which all threads share.
        """
        datasets = self.registry.datasets.items()
        keys = [key for key, dataset in datasets if dataset.kind != "TEMPORARY_VIEW"]
        own_settings = any(f.spark_conf for key in keys for f in self.registry.flows_into(key))
        with ThreadPoolExecutor(1 if own_settings else DATASETS_AT_ONCE) as threads:
            for _ in threads.map(self._ensure, keys):
                pass
        flows = [flow.name for key in keys for flow in self.registry.flows_into(key)]
        self.results = {name: self.results[name] for name in flows if name in self.results}

    # What pipeline code reads ------------------------------------------------------------

    def read_stream(self, name: str, options: StreamOptions) -> Any:
        """The increment of a table, for the flow that is running."""
        if not self._batches:
            raise PipelineError("spark.readStream can be used in a dataset's function only")
        dataset = self.registry.find(name)
        if dataset and dataset.kind == "TEMPORARY_VIEW":
            return self._evaluate_view(dataset)
        if dataset and dataset.kind == "MATERIALIZED_VIEW":
            raise PipelineError(f"{name} is a materialized view: it cannot be streamed")
        full_name = self.registry.table_name(name)
        if dataset:
            self._need(full_name.key)
        table, latest = self._table(full_name.sql)
        return self._batches[-1].read(table, latest, options)

    def read_batch(self, name: str) -> Any | None:
        """A dataset of this pipeline as it is after its update; None for any other table."""
        dataset = self.registry.find(name)
        if dataset is None:
            return None
        if dataset.kind == "TEMPORARY_VIEW":
            if not self._batches:
                raise PipelineError(f"view {name} can be read in a dataset's function only")
            return self._evaluate_view(dataset)
        full_name = self.registry.table_name(name)
        self._need(full_name.key)
        if self._batches:
            self._batches[-1].inputs.append(str(full_name))
        return read_raw(self._spark.read, full_name.sql)

    def is_view(self, name: str) -> bool:
        dataset = self.registry.find(name)
        return dataset is not None and dataset.kind == "TEMPORARY_VIEW"

    def _need(self, key: str) -> None:
        """Update a dataset that the running flow reads, before it is read."""
        tables_running = [running for running in self._running if not running.startswith("view:")]
        if tables_running and tables_running[-1] == key:
            return
        if not self._ensure(key):
            raise UpstreamFailure(f"{self._label(key)}, which it reads, could not be updated")

    def _evaluate_view(self, view: Dataset) -> Any:
        key = self.registry.key_of(view.name)
        if key in self._running:
            raise PipelineError(f"view {view.name!r} reads itself")
        flow = self.registry.flows_into(key)[0]
        self._running.append(key)
        try:
            frame = _query(flow)
        finally:
            self._running.pop()
        if not view.expectations:
            return frame
        checked = expectations.check(frame, view.name, view.expectations)
        self._batches[-1].checked.append(checked)
        return checked.after

    def _table(self, name: str) -> tuple[DeltaTable, int]:
        """A table at the version that this whole update reads."""
        if name not in self._tables:
            table = find_table(self._spark, name)
            if table is None:
                raise PipelineError(f"table {name.replace('`', '')} does not exist")
            self._tables[name] = (table, table.latest_version())
        return self._tables[name]

    # Datasets and flows ------------------------------------------------------------------

    def _ensure(self, key: str) -> bool:
        """Update a table once in this update; False if any of its flows did not succeed."""
        try:
            ended = self._turns.take(key)
        except CircleError as error:
            circle = " -> ".join(self._label(k) for k in [*self._running, key])
            raise PipelineError(f"datasets read each other in a circle: {circle}") from error
        if ended is not None:
            return ended
        succeeded = False
        try:
            succeeded = self._update_selected(key)
        finally:
            self._turns.finish(key, succeeded=succeeded)
        return succeeded

    def _update_selected(self, key: str) -> bool:
        flows = self.registry.flows_into(key)
        if not self._is_selected(key):
            for flow in flows:
                self.results[flow.name] = FlowResult("EXCLUDED")
            return True
        self._running.append(key)
        try:
            return self._update_dataset(key, self.registry.datasets[key], flows)
        finally:
            self._running.pop()

    def _update_dataset(self, key: str, dataset: Dataset, flows: list[Flow]) -> bool:
        outcomes = [self._run_flow(key, dataset, flow) for flow in flows]
        self._tables.pop(self.registry.table_name(dataset.name).sql, None)
        return all(outcome.status in ("COMPLETED", "IDLE") for outcome in outcomes)

    def _run_flow(self, key: str, dataset: Dataset, flow: Flow) -> FlowResult:
        label = self._label(key)
        result = FlowResult("COMPLETED")
        started = time.monotonic()
        self._events.flow_status(label, flow, "STARTING")
        depth, batches = len(self._running), len(self._batches)
        try:
            with _settings(self._spark, flow.spark_conf):
                table = self._prepare(key, dataset)
                self._work(dataset, flow, table, result)
        except UpstreamFailure as error:
            result.status, result.error = "SKIPPED", str(error)
        except Exception as error:  # noqa: BLE001 - a flow's failure must not stop the others
            result.status, result.error = "FAILED", describe(error)
        del self._running[depth:], self._batches[batches:]
        result.seconds = time.monotonic() - started
        self.results[flow.name] = result
        self._events.flow_ended(label, flow, result)
        return result

    def _prepare(self, key: str, dataset: Dataset) -> DeltaTable | None:
        """The target as it is; emptied first when it is to be refreshed in full."""
        name = self.registry.table_name(dataset.name)
        table = find_table(self._spark, name.sql)
        flows = self.registry.flows_into(key)
        reset = self._checkpoints.is_resetting(key)
        if self._is_full_refresh(key) and not any(flow.name in self.results for flow in flows):
            reset = True
            self._checkpoints.start_reset(key)
        if table is None:
            for flow in flows:
                if flow.name not in self.results:
                    self._checkpoints.forget(flow.name)
            self._checkpoints.finish_reset(key)
            return None
        tables.check_owner(table, self._request.pipeline_id)
        if reset:
            self._spark.sql(f"TRUNCATE TABLE {name.sql}")
            for flow in flows:
                self._checkpoints.forget(flow.name)
            self._checkpoints.finish_reset(key)
        tables.update_declaration(self._spark, name, dataset, table)
        return table

    def _work(
        self, dataset: Dataset, flow: Flow, table: DeltaTable | None, result: FlowResult
    ) -> None:
        """Run batches until nothing is new: a batch that was cut off, and then the rest."""
        result.status = "IDLE"
        while True:
            checkpoint = self._checkpoints.load(flow.name) or Checkpoint()
            repeated = checkpoint.pending is not None
            if flow.once and checkpoint.batch > 0:
                return
            batch = Batch(self._spark, checkpoint, dataset.name)
            self._batches.append(batch)
            frame = self._rows(flow, batch)
            label = self._label(self.registry.key_of(dataset.name))
            self._events.flow_defined(label, flow, batch.inputs)
            if dataset.kind == "MATERIALIZED_VIEW" or batch.has_news or flow.once:
                self._events.flow_status(label, flow, "RUNNING")
                self._write(dataset, flow, batch, frame, table is not None, result)
                result.status = "COMPLETED"
            else:
                checkpoint.committed.update(batch.ends)
                self._checkpoints.save(flow.name, checkpoint)
            self._batches.pop()
            if not repeated:
                return
            table = find_table(self._spark, self.registry.table_name(dataset.name).sql)

    def _rows(self, flow: Flow, batch: Batch) -> Any:
        if flow.auto_cdc:
            return self.read_stream(flow.auto_cdc.source, StreamOptions())
        frame = _query(flow)
        target = self.registry.find(flow.target)
        streaming = target is not None and target.kind == "STREAMING_TABLE" and not flow.once
        if streaming and not batch.stream_plans:
            raise PipelineError(
                f"flow {flow.name!r} fills a streaming table but reads no stream: use "
                "spark.readStream, or define a materialized view"
            )
        if not streaming and batch.stream_plans:
            raise PipelineError(f"flow {flow.name!r} reads a stream, which its target cannot take")
        check_stateless(frame, batch.stream_plans)
        return frame

    def _write(
        self,
        dataset: Dataset,
        flow: Flow,
        batch: Batch,
        frame: Any,
        exists: bool,
        result: FlowResult,
    ) -> None:
        checkpoint = batch.checkpoint
        ends = dict(checkpoint.pending if checkpoint.pending is not None else batch.ends)
        if dataset.kind == "STREAMING_TABLE":
            checkpoint.pending = ends
            self._checkpoints.save(flow.name, checkpoint)
        name = self.registry.table_name(dataset.name)
        target = writers.Target(self._spark, self._request, name, dataset, flow, checkpoint, exists)
        rules = expectations.check(frame, dataset.name, dataset.expectations)
        batch.checked.append(rules)
        try:
            if flow.auto_cdc:
                writers.apply_changes(target, rules.after, self._checkpoints, result)
            elif dataset.kind == "MATERIALIZED_VIEW":
                writers.replace(target, rules.after, rules, result)
            else:
                writers.append(target, rules.after, rules, result)
        except Exception as error:
            expectations.raise_failure(error, batch.checked)
            raise
        for checked in batch.checked:
            _, dropped, counts = checked.counts()
            result.dropped_rows += dropped
            result.expectations += counts
        checkpoint.commit(ends)
        self._checkpoints.save(flow.name, checkpoint)

    def _is_selected(self, key: str) -> bool:
        request = self._request
        chosen = [*request.refresh_selection, *request.full_refresh_selection]
        return not chosen or key in {self.registry.key_of(name) for name in chosen}

    def _is_full_refresh(self, key: str) -> bool:
        chosen = {self.registry.key_of(name) for name in self._request.full_refresh_selection}
        return self._request.full_refresh or key in chosen

    def _label(self, key: str) -> str:
        return key.removeprefix("view:")


def describe(error: BaseException) -> str:
    """What went wrong in one paragraph: Spark's message without the JVM's stack, and where."""
    message = str(error).split("\n\nJVM stacktrace")[0].strip() or type(error).__name__
    if isinstance(error, PipelineError):
        return message
    place = [
        f" at {frame.filename}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if "/pyspark/" not in frame.filename and "/emulator/" not in frame.filename
    ]
    return f"{type(error).__name__}: {message}{place[-1] if place else ''}"


def _query(flow: Flow) -> Any:
    from pyspark.sql.connect.dataframe import DataFrame

    if flow.function is None:
        raise PipelineError(f"flow {flow.name!r} has no query function")
    frame = flow.function()
    if not isinstance(frame, DataFrame):
        raise PipelineError(
            f"flow {flow.name!r}: its function returned {type(frame).__name__}, not a DataFrame"
        )
    return frame


@contextmanager
def _session(spark: Any, request: PipelineRequest) -> Iterator[None]:
    """The pipeline's schema and configuration, as its code finds them."""
    previous = spark.catalog.currentDatabase()
    spark.catalog.setCurrentDatabase(request.schema)
    try:
        with _settings(spark, request.configuration):
            yield
    finally:
        spark.catalog.setCurrentDatabase(previous)


@contextmanager
def _settings(spark: Any, settings: Mapping[str, str]) -> Iterator[None]:
    previous = {key: spark.conf.get(key, None) for key in settings}
    for key, value in settings.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, old in previous.items():
            if old is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, old)
