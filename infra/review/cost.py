"""What a plan costs more or less a month, as far as a plan can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from infra.review.assumptions import Assumptions
from infra.review.changes import Action, Change
from infra.review.differences import is_empty
from infra.review.quartz import CronError, runs_per_month
from infra.review.rule import first, look_up

Values = Mapping[str, Any]


class Unpriced(Exception):
    """Why something has no price."""


@dataclass(frozen=True)
class Usage:
    """DBUs of a month and their price."""

    dbus: Decimal = Decimal(0)
    money: Decimal = Decimal(0)


@dataclass(frozen=True)
class CostItem:
    """One resource before and after; without amounts, ``unpriced`` says why."""

    address: str
    what: str
    dbus: Decimal | None = None
    money: Decimal | None = None
    unpriced: str | None = None


@dataclass(frozen=True)
class Cost:
    """The difference that a plan makes a month."""

    currency: str
    items: list[CostItem]
    assumptions: Assumptions

    @property
    def dbus(self) -> Decimal:
        return sum((item.dbus or Decimal(0) for item in self.items), Decimal(0))

    @property
    def money(self) -> Decimal:
        return sum((item.money or Decimal(0) for item in self.items), Decimal(0))

    @property
    def unpriced(self) -> list[CostItem]:
        return [item for item in self.items if item.unpriced is not None]


class Estimator:
    """Prices the resources that run; the rest costs nothing by itself."""

    def __init__(self, assumptions: Assumptions, warehouses: Mapping[str, Values]) -> None:
        self._assumptions = assumptions
        self._warehouses = warehouses
        """Id -> the warehouse, where the plan knows it."""
        self._priced: dict[str, Callable[[Values], tuple[str, Usage]]] = {
            "databricks_sql_endpoint": self._warehouse,
            "databricks_model_serving": self._endpoint,
            "databricks_job": self._job,
            "databricks_alert_v2": self._alert,
            "databricks_pipeline": self._pipeline,
            "databricks_quality_monitor": self._monitor,
        }

    def cost(self, changes: Iterable[Change]) -> Cost:
        items = [item for change in changes if (item := self._item(change)) is not None]
        return Cost(self._assumptions.currency, items, self._assumptions)

    def _item(self, change: Change) -> CostItem | None:
        price = self._priced.get(change.type)
        if price is None or change.action in (Action.MOVE, Action.FORGET, Action.IMPORT):
            return None
        try:
            before, old = price(change.before) if change.before else ("nothing", Usage())
            after, new = price(change.after) if change.after else ("nothing", Usage())
        except Unpriced as error:
            if change.action is Action.UPDATE and not self._matters(change):
                return None
            return CostItem(change.address, "", unpriced=str(error))
        if before == after or (old == new and old == Usage()):
            return None
        dbus, money = new.dbus - old.dbus, new.money - old.money
        return CostItem(change.address, f"{before} -> {after}", dbus, money)

    def _matters(self, change: Change) -> bool:
        """Whether an update touches what a price depends on."""
        words = ("schedule", "trigger", "continuous", "config", "cluster_size", "task", "clusters")
        more = ("max_num_clusters", "warehouse_type", "enable_serverless_compute", "serverless")
        return any(True for _ in change.differing(*words, *more))

    def _warehouse(self, values: Values) -> tuple[str, Usage]:
        busy = self._assumptions.busy
        hours = _known(busy.warehouse_hours_per_month, "hours of a warehouse")
        size, clusters = values.get("cluster_size"), values.get("max_num_clusters") or 1
        used = 1 + (_number(clusters, "max_num_clusters") - 1) * busy.more_clusters_share
        dbus = self._warehouse_rate(values) * used * hours
        return f"{size}, {clusters} clusters", self._usage(dbus, self._sql_price(values))

    def _warehouse_rate(self, values: Values) -> Decimal:
        size = values.get("cluster_size")
        rate = self._assumptions.warehouse_dbus_per_hour.get(str(size))
        if rate is None:
            raise Unpriced(f"warehouse size {size} is not in the assumptions")
        return rate

    def _sql_price(self, values: Values) -> Decimal:
        prices = self._assumptions.price_per_dbu
        if values.get("enable_serverless_compute") is True:
            return prices.serverless_sql
        is_classic = str(values.get("warehouse_type")).upper() == "CLASSIC"
        return prices.classic_sql if is_classic else prices.pro_sql

    def _endpoint(self, values: Values) -> tuple[str, Usage]:
        entities = look_up(values, "config", "served_entities")
        entities = entities or look_up(values, "config", "served_models")
        if not isinstance(entities, list):
            return "no model", Usage()
        dbus, words = Decimal(0), []
        for entity in entities:
            size, rests = entity.get("workload_size"), entity.get("scale_to_zero_enabled")
            if str(entity.get("workload_type") or "CPU") != "CPU":
                raise Unpriced("an endpoint on GPU")
            rate = self._assumptions.endpoint_dbus_per_hour.get(str(size))
            if rate is None:
                raise Unpriced(f"endpoint size {size or 'by concurrency or of a foundation model'}")
            busy = self._assumptions.busy.endpoint_hours_per_month
            whole = self._assumptions.hours_per_month
            hours = _known(busy, "hours of an endpoint") if rests is True else whole
            dbus += rate * hours
            words.append(f"{size}{', scales to zero' if rests is True else ', always up'}")
        return " + ".join(words), self._usage(dbus, self._assumptions.price_per_dbu.model_serving)

    def _job(self, values: Values) -> tuple[str, Usage]:
        if is_empty(values.get("schedule")):
            if is_empty(values.get("trigger")) and is_empty(values.get("continuous")):
                return "no schedule", Usage()
            raise Unpriced("a job that is triggered, or never stops")
        runs = _runs(values, "quartz_cron_expression")
        tasks = values.get("task")
        count = len(tasks) if isinstance(tasks, list) else 0
        text = f"{runs:,.0f} runs a month of {count} tasks"
        if not runs:
            return text, Usage()
        if any(not is_empty(task.get("run_job_task")) for task in tasks or []):
            raise Unpriced(f"{text}: it runs other jobs")
        classic = ("new_cluster", "existing_cluster_id", "job_cluster_key")
        if any(not is_empty(task.get(key)) for task in tasks or [] for key in classic):
            raise Unpriced(f"{text}: on a cluster, whose machines have prices of their own")
        busy = self._assumptions.busy
        minutes = _known(busy.job_task_minutes, "minutes of a task")
        dbus = runs * count * minutes / 60 * busy.job_task_dbus_per_hour
        return text, self._usage(dbus, self._assumptions.price_per_dbu.serverless_jobs)

    def _alert(self, values: Values) -> tuple[str, Usage]:
        runs = _runs(values, "quartz_cron_schedule")
        text = f"{runs:,.0f} evaluations a month"
        if not runs:
            return text, Usage()
        warehouse = self._warehouses.get(str(values.get("warehouse_id")))
        if warehouse is None:
            raise Unpriced(f"{text}: its warehouse is not in this plan")
        minutes = _known(self._assumptions.busy.alert_minutes, "minutes of an alert")
        dbus = runs * minutes / 60 * self._warehouse_rate(warehouse)
        return text, self._usage(dbus, self._sql_price(warehouse))

    def _pipeline(self, values: Values) -> tuple[str, Usage]:
        if values.get("continuous") is not True:
            return "runs when started", Usage()
        if values.get("serverless") is not True:
            raise Unpriced("continuous, on clusters whose machines have prices of their own")
        rate = _known(self._assumptions.busy.pipeline_dbus_per_hour, "size of a pipeline")
        dbus = rate * self._assumptions.hours_per_month
        return "continuous", self._usage(dbus, self._assumptions.price_per_dbu.serverless_pipelines)

    def _monitor(self, values: Values) -> tuple[str, Usage]:
        runs = _runs(values, "quartz_cron_expression")
        if runs:
            raise Unpriced(f"{runs:,.0f} refreshes a month: cost follows the size of the table")
        return "no schedule", Usage()

    def _usage(self, dbus: Decimal, price: Decimal) -> Usage:
        return Usage(dbus, dbus * price)


def _runs(values: Values, key: str) -> Decimal:
    """Runs a month; a schedule that is paused or not there has none."""
    schedule = first(values.get("schedule"))
    if is_empty(schedule) or schedule.get("pause_status") == "PAUSED":
        return Decimal(0)
    expression = schedule.get(key)
    if not isinstance(expression, str):
        raise Unpriced("its schedule is known only after apply")
    try:
        return Decimal(str(runs_per_month(expression)))
    except CronError as error:
        raise Unpriced(str(error)) from error


def _known(value: Decimal | None, what: str) -> Decimal:
    if value is None:
        raise Unpriced(f"the assumptions do not know the {what}")
    return value


def _number(value: Any, what: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unpriced(f"{what} is known only after apply")
    return Decimal(str(value))
