"""The module that pipeline code gets when it says ``from pyspark import pipelines as dp``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Literal

from emulator.compute.pipelines.model import (
    Action,
    AutoCdc,
    Dataset,
    DatasetKind,
    Expectation,
    Flow,
    PipelineError,
)
from emulator.compute.pipelines.registry import Registry

Query = Callable[[], Any]
_RULES = "__pipeline_expectations__"
_LEFT_OUT = (
    "create_auto_cdc_from_snapshot_flow",
    "create_sink",
    "foreach_batch_sink",
    "on_event_hook",
)


class PipelinesApi:
    """The functions and decorators of the declarative pipelines API, bound to one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def table(self, query_function: Query | None = None, **options: Any) -> Any:
        return self._stored("STREAMING_TABLE", query_function, options)

    def materialized_view(self, query_function: Query | None = None, **options: Any) -> Any:
        return self._stored("MATERIALIZED_VIEW", query_function, options)

    def temporary_view(
        self,
        query_function: Query | None = None,
        *,
        name: str | None = None,
        comment: str | None = None,
        spark_conf: Mapping[str, str] | None = None,
    ) -> Any:
        def register(function: Query) -> Query:
            view = Dataset(name or function.__name__, "TEMPORARY_VIEW", comment)
            view.expectations = _rules_of(function)
            self._registry.add_dataset(view)
            self._registry.add_flow(
                Flow(view.name, view.name, function, spark_conf=spark_conf or {})
            )
            return function

        return register(query_function) if query_function else register

    def expect(self, name: str, condition: str) -> Callable[[Query], Query]:
        return _expecting({name: condition}, "warn")

    def expect_or_drop(self, name: str, condition: str) -> Callable[[Query], Query]:
        return _expecting({name: condition}, "drop")

    def expect_or_fail(self, name: str, condition: str) -> Callable[[Query], Query]:
        return _expecting({name: condition}, "fail")

    def expect_all(self, expectations: Mapping[str, str]) -> Callable[[Query], Query]:
        return _expecting(expectations, "warn")

    def expect_all_or_drop(self, expectations: Mapping[str, str]) -> Callable[[Query], Query]:
        return _expecting(expectations, "drop")

    def expect_all_or_fail(self, expectations: Mapping[str, str]) -> Callable[[Query], Query]:
        return _expecting(expectations, "fail")

    def create_streaming_table(
        self,
        name: str,
        *,
        expect_all: Mapping[str, str] | None = None,
        expect_all_or_drop: Mapping[str, str] | None = None,
        expect_all_or_fail: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        dataset = _dataset(name, "STREAMING_TABLE", options)
        dataset.expectations = [
            *_expectations(expect_all or {}, "warn"),
            *_expectations(expect_all_or_drop or {}, "drop"),
            *_expectations(expect_all_or_fail or {}, "fail"),
        ]
        self._registry.add_dataset(dataset)

    def append_flow(
        self,
        *,
        target: str,
        name: str | None = None,
        spark_conf: Mapping[str, str] | None = None,
        once: bool = False,
    ) -> Callable[[Query], Query]:
        def register(function: Query) -> Query:
            self._registry.add_flow(
                Flow(name or function.__name__, target, function, None, spark_conf or {}, once)
            )
            return function

        return register

    def create_auto_cdc_flow(
        self,
        target: str,
        source: str,
        keys: Sequence[Any],
        sequence_by: Any,
        *,
        ignore_null_updates: bool = False,
        apply_as_deletes: Any = None,
        apply_as_truncates: Any = None,
        column_list: Sequence[Any] | None = None,
        except_column_list: Sequence[Any] | None = None,
        stored_as_scd_type: Literal[1, 2, "1", "2"] = 1,
        track_history_column_list: Sequence[Any] | None = None,
        track_history_except_column_list: Sequence[Any] | None = None,
        name: str | None = None,
        once: bool = False,
    ) -> None:
        problem = None
        if str(stored_as_scd_type) not in ("1", "2"):
            problem = "stored_as_scd_type must be 1 or 2"
        elif column_list and except_column_list:
            problem = "column_list or except_column_list, not both"
        elif ignore_null_updates or apply_as_truncates is not None:
            problem = "the emulator has no ignore_null_updates and no apply_as_truncates"
        elif not keys:
            problem = "it has no keys"
        if problem:
            raise PipelineError(f"flow into {target!r}: {problem}")
        change = AutoCdc(
            source=source,
            keys=_names(keys),
            sequence_by=sequence_by,
            scd_type=2 if str(stored_as_scd_type) == "2" else 1,
            apply_as_deletes=apply_as_deletes,
            column_list=_names(column_list or ()) or None,
            except_column_list=_names(except_column_list or ()),
            track_history_columns=_names(track_history_column_list or ()) or None,
            track_history_except=_names(track_history_except_column_list or ()),
        )
        self._registry.add_flow(Flow(name or target, target, None, change, {}, once))

    def _stored(self, kind: DatasetKind, function: Query | None, options: dict[str, Any]) -> Any:
        def register(decorated: Query) -> Query:
            settings = dict(options)
            name = settings.pop("name", None) or decorated.__name__
            spark_conf = settings.pop("spark_conf", None) or {}
            dataset = _dataset(name, kind, settings)
            dataset.expectations = _rules_of(decorated)
            self._registry.add_dataset(dataset)
            self._registry.add_flow(Flow(name, name, decorated, spark_conf=spark_conf))
            return decorated

        return register(function) if function else register


@contextmanager
def installed(registry: Registry) -> Iterator[None]:
    """Let ``pyspark.pipelines`` be our module while the pipeline's code runs."""
    import pyspark

    module = ModuleType("pyspark.pipelines")
    api = PipelinesApi(registry)
    for name in dir(api):
        if not name.startswith("_"):
            setattr(module, name, getattr(api, name))
    for name in _LEFT_OUT:
        setattr(module, name, _left_out(name))
    previous_module = sys.modules.get("pyspark.pipelines")
    previous_attribute = getattr(pyspark, "pipelines", None)
    sys.modules["pyspark.pipelines"] = module
    pyspark.pipelines = module
    try:
        yield
    finally:
        if previous_module is None:
            del sys.modules["pyspark.pipelines"]
        else:
            sys.modules["pyspark.pipelines"] = previous_module
        if previous_attribute is None:
            del pyspark.pipelines
        else:
            pyspark.pipelines = previous_attribute


def _left_out(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise PipelineError(f"the emulator's pipelines have no {name}")

    return refuse


def _dataset(name: str, kind: DatasetKind, options: dict[str, Any]) -> Dataset:
    known = {
        "comment",
        "schema",
        "table_properties",
        "partition_cols",
        "cluster_by",
        "cluster_by_auto",
        "private",
    }
    unknown = sorted(key for key in options if key not in known and options[key] is not None)
    if unknown:
        raise PipelineError(f"dataset {name!r}: the emulator has no option {', '.join(unknown)}")
    return Dataset(
        name=name,
        kind=kind,
        comment=options.get("comment"),
        schema=options.get("schema"),
        table_properties=options.get("table_properties") or {},
        partition_cols=options.get("partition_cols") or (),
        cluster_by=options.get("cluster_by") or (),
        cluster_by_auto=bool(options.get("cluster_by_auto")),
    )


def _expecting(rules: Mapping[str, str], action: Action) -> Callable[[Query], Query]:
    def decorate(function: Query) -> Query:
        _rules_of(function).extend(_expectations(rules, action))
        return function

    return decorate


def _rules_of(function: Query) -> list[Expectation]:
    """The function's own list, shared with its dataset: decorators may come in either order."""
    rules: list[Expectation] | None = getattr(function, _RULES, None)
    if rules is None:
        rules = []
        setattr(function, _RULES, rules)
    return rules


def _expectations(rules: Mapping[str, str], action: Action) -> list[Expectation]:
    return [Expectation(name, condition, action) for name, condition in rules.items()]


def _names(columns: Sequence[Any]) -> tuple[str, ...]:
    """Column names, from strings or from columns that are nothing but a name."""
    names = []
    for column in columns:
        if isinstance(column, str):
            names.append(column)
        else:
            names.append(str(column._expr._unparsed_identifier))
    return tuple(names)
