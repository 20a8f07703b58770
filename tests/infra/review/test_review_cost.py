"""What a plan costs more or less a month, computed by hand beside it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.review.assumptions import DEFAULT, read_assumptions
from infra.review.changes import Action, Change
from infra.review.cost import CostItem, Estimator
from infra.review.plan_file import PlanError
from infra.review.quartz import CronError, runs_per_month
from tests.infra.review.recorded import reviewed

DAYS = 365.25 / 12


@pytest.mark.parametrize(
    ("expression", "runs"),
    [
        ("0 0 1 * * ?", DAYS),
        ("0 0 * * * ?", 24 * DAYS),
        ("0 */15 * * * ?", 96 * DAYS),
        ("0 0/30 8-17 ? * MON-FRI", 20 * DAYS * 5 / 7),
        ("0 0 9 ? * FRI-MON", DAYS * 4 / 7),
        ("0 0 9 ? * 2", DAYS / 7),
        ("0 0 0 1 * ?", 1),
        ("0 0 0 L * ?", 1),
        ("0 0 0 15W * ?", 1),
        ("0 0 0 31 * ?", 7 / 12),
        ("0 0 0 29 2 ?", 1 / 48),
        ("0 0 0 ? * MON#1", 1),
        ("0 0 0 ? * FRIL", 1),
        # The only fifth weekday of a February in these years is a Tuesday.
        ("0 0 0 ? 2 TUE#5", 1 / 48),
        ("0 0 0 ? 2 4#5", 0),
        ("0 0 0 1 JAN,JUL ?", 2 / 12),
        ("0 0 6,18 * * ? 2030", 2 * DAYS),
    ],
)
def test_runs_a_month(expression: str, runs: float) -> None:
    assert runs_per_month(expression) == pytest.approx(runs, rel=0.005)


@pytest.mark.parametrize(
    "expression", ["", "* * * * *", "0 0 25 * * ?", "0 0 x * * ?", "0 */a * * * ?"]
)
def test_what_is_no_cron_is_said(expression: str) -> None:
    with pytest.raises(CronError):
        runs_per_month(expression)


def item(plan: str, address: str) -> CostItem:
    (found,) = [i for i in reviewed(plan).cost.items if i.address == address]
    return found


def money(plan: str, address: str) -> float:
    return float(item(plan, address).money or 0)


def test_sizes_have_a_price() -> None:
    """Small to Medium with three more clusters, each a quarter of 176 hours at 0.70."""
    warehouse = item("compute", "databricks_sql_endpoint.main")
    dbus = 24 * (1 + 3 * Decimal("0.25")) * 176 - 12 * 176
    assert warehouse.dbus == dbus
    assert warehouse.money == dbus * Decimal("0.70")
    endpoint = item("compute", "databricks_model_serving.it")
    assert endpoint.dbus == (16 - 4) * 730
    pipeline = item("compute", "databricks_pipeline.silver")
    assert pipeline.money == 4 * 730 * Decimal("0.35")
    cost = reviewed("compute").cost
    assert cost.money == sum(i.money or 0 for i in cost.items)


def test_schedules_have_a_price_and_a_pause_has_none() -> None:
    one_run = 2 * 5 / 60 * 4 * 0.35
    assert money("jobs", "databricks_job.paused") == pytest.approx(-DAYS * one_run, rel=0.01)
    quicker = money("jobs", "databricks_job.quicker")
    assert quicker == pytest.approx(23 * DAYS * one_run, rel=0.01)


def test_a_rename_costs_nothing_in_the_sum() -> None:
    was = item("jobs", "databricks_job.renamed_was").money or 0
    now = item("jobs", "databricks_job.renamed_now").money or 0
    assert was < 0 and was + now == 0


def test_what_a_plan_cannot_know_is_unpriced() -> None:
    found = item("alerts", "databricks_alert_v2.slowed")
    assert found.money is None and found.dbus is None
    assert found.unpriced == "730 evaluations a month: its warehouse is not in this plan"
    assert item("monitors", "databricks_quality_monitor.unscheduled").money is None


SCHEDULE = {"quartz_cron_expression": "0 0 1 * * ?", "pause_status": "UNPAUSED"}


@pytest.mark.parametrize(
    ("kind", "values", "why"),
    [
        ("job", {"schedule": SCHEDULE, "task": [{"run_job_task": {"job_id": 1}}]}, "other jobs"),
        ("job", {"schedule": SCHEDULE, "task": [{"new_cluster": {"a": 1}}]}, "on a cluster"),
        ("job", {"continuous": {"pause_status": "UNPAUSED"}}, "never stops"),
        ("sql_endpoint", {"cluster_size": "Huge"}, "size Huge is not in the assumptions"),
        ("pipeline", {"continuous": True}, "on clusters"),
        (
            "model_serving",
            {"config": {"served_entities": [{"workload_type": "GPU_SMALL"}]}},
            "an endpoint on GPU",
        ),
    ],
)
def test_unpriced(kind: str, values: dict[str, Any], why: str) -> None:
    change = Change(f"databricks_{kind}.x", f"databricks_{kind}", Action.CREATE, {}, values)
    (found,) = Estimator(read_assumptions(), {}).cost([change]).items
    assert found.unpriced is not None and why in found.unpriced


def test_an_alert_is_priced_by_its_warehouse() -> None:
    alert = {"schedule": {"quartz_cron_schedule": "0 0 * * * ?"}, "warehouse_id": "w"}
    change = Change("databricks_alert_v2.a", "databricks_alert_v2", Action.CREATE, {}, alert)
    warehouse = {"cluster_size": "2X-Small", "enable_serverless_compute": True}
    (found,) = Estimator(read_assumptions(), {"w": warehouse}).cost([change]).items
    assert float(found.money or 0) == pytest.approx(24 * DAYS / 60 * 4 * 0.70, rel=0.01)


def test_other_assumptions_are_read_and_wrong_ones_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text(DEFAULT.read_text().replace("Small: 12", "Small: 13"))
    assert read_assumptions(file).warehouse_dbus_per_hour["Small"] == 13
    file.write_text(DEFAULT.read_text().replace("currency: USD", "coin: USD"))
    with pytest.raises(PlanError) as caught:
        read_assumptions(file)
    assert str(file) in str(caught.value) and "currency" in str(caught.value)
