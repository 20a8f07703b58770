"""mlflow.experiments_latest and runs_latest: training and evaluation of the models, and play.

A run that goes on over midnight ends the next day, and a run may be deleted two days later: rows
of a day change until then.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from emulator.account.columns import hex_ids, is_weekend
from emulator.account.happenings import happenings_on
from emulator.account.people import people_of
from emulator.account.plan import ACCOUNT, Entity, Plan
from emulator.account.schemas import table_of
from emulator.account.serving import model_name

EXPERIMENTS, RUNS = "mlflow.experiments_latest", "mlflow.runs_latest"
_STREAM_EXPERIMENTS, _STREAM_RUNS = 79, 80
_TRAINED_AT, _EVALUATED_AT, _NIGHT_AT = 3.0, 7.0, 23.6
_TRIES = 4
_DRIFT_A_DAY, _LOSS_A_DAY = 0.09, 0.02


@dataclass(frozen=True, eq=False)
class Experiment:
    """One experiment; ``endpoint`` is the one that serves its model, if it is more than play."""

    place: int
    experiment_id: str
    home: Entity
    endpoint: Entity | None
    name: str
    created: int
    deleted: int | None

    def lives_on(self, day: int) -> bool:
        return self.created <= day and (self.deleted is None or day < self.deleted)


def experiments_latest(plan: Plan) -> dict[str, pa.Table]:
    """All experiments that have begun by the plan's last day."""
    last = plan.parameters.days - 1
    rows = [_experiment_row(plan, e, last) for e in experiments_of(plan) if e.created <= last]
    return {EXPERIMENTS: table_of(EXPERIMENTS, rows)}


def runs_of(plan: Plan, day: int) -> dict[str, pa.Table]:
    """The runs that began on a day, as they stand at the end of the plan's last day."""
    rng = plan.parameters.rng(_STREAM_RUNS, day)
    runs = list(_runs(rng, plan, day))
    ids = hex_ids(rng, len(runs), 32).to_pylist()
    until = plan.parameters.moment(plan.parameters.days)
    rows = [_seen(run, run_id, until) for run, run_id in zip(runs, ids, strict=True)]
    return {RUNS: table_of(RUNS, rows)}


@functools.lru_cache(maxsize=4)
def experiments_of(plan: Plan) -> tuple[Experiment, ...]:
    """One experiment for each served model, and one for each notebook."""
    found: list[Experiment] = []
    for entity in plan.entities:
        is_model = entity.product.name == "model_serving"
        if not is_model and entity.product.entity != "notebook":
            continue
        place = len(found)
        number = int(plan.parameters.rng(_STREAM_EXPERIMENTS, place).integers(10**14, 10**15))
        found.append(
            Experiment(
                place=place,
                experiment_id=str(number),
                home=entity,
                endpoint=entity if is_model else None,
                name=f"/Shared/{'models' if is_model else 'play'}/{entity.name}",
                created=entity.created - 5 if entity.created < 0 else entity.created,
                deleted=None if entity.deleted is None else entity.deleted + 1,
            )
        )
    return tuple(found)


def _experiment_row(plan: Plan, experiment: Experiment, last: int) -> dict[str, Any]:
    created = plan.parameters.moment(experiment.created, 2)
    is_gone = experiment.deleted is not None and experiment.deleted <= last
    gone = plan.parameters.moment(experiment.deleted or 0, 17) if is_gone else None
    return {
        "account_id": ACCOUNT,
        "update_time": gone or created,
        "delete_time": gone,
        "workspace_id": experiment.home.workspace_id,
        "experiment_id": experiment.experiment_id,
        "name": experiment.name,
        "create_time": created,
    }


def _runs(rng: np.random.Generator, plan: Plan, day: int) -> Iterator[dict[str, Any]]:
    """All runs of a day, with all that will ever become of them."""
    troubles = {h.endpoint: h for h in happenings_on(plan, day, "training_failures")}
    drifts = {h.endpoint: h for h in happenings_on(plan, day, "drifting_model")}
    for experiment in experiments_of(plan):
        if not experiment.lives_on(day):
            continue
        endpoint = experiment.endpoint
        if endpoint is None:
            yield from _play(rng, plan, day, experiment)
            continue
        troubled = endpoint in troubles
        for attempt in range(_TRIES if troubled else 1):
            start = plan.parameters.moment(day, _TRAINED_AT + attempt)
            failed = troubled or rng.random() < 0.04
            status = "FAILED" if failed else "FINISHED"
            yield _run(rng, experiment, f"train-{attempt + 1}", start, status, {})
        drift = drifts.get(endpoint)
        steps = day - drift.first_day + 1 if drift else 0
        start = plan.parameters.moment(day, _EVALUATED_AT)
        yield _run(rng, experiment, "evaluate", start, "FINISHED", _quality(rng, steps))


def _play(
    rng: np.random.Generator, plan: Plan, day: int, experiment: Experiment
) -> Iterator[dict[str, Any]]:
    """What people try out on workdays, and one run that goes on over midnight."""
    if experiment.place % 3 == 0 or experiment.home.number % 1000 == 0:
        start = plan.parameters.moment(day, _NIGHT_AT)
        yield _run(rng, experiment, "overnight", start, "FINISHED", {"loss": rng.random()})
    if is_weekend(plan, day):
        return
    people = people_of(plan)
    users = people.numbers("user")
    for attempt in range(int(rng.integers(0, 3))):
        start = plan.parameters.moment(day, 9 + 8 * float(rng.random()))
        status = ("FINISHED", "FINISHED", "FINISHED", "KILLED", "FAILED")[rng.integers(5)]
        run = _run(rng, experiment, f"try-{attempt + 1}", start, status, {"loss": rng.random()})
        run["created_by"] = people.everyone[int(rng.choice(users))].name
        if rng.random() < 0.15:
            run["delete_time"] = start + timedelta(days=1)
        yield run


def _quality(rng: np.random.Generator, steps: int) -> dict[str, float]:
    """Metrics of an evaluation, ``steps`` days after the model has begun to drift."""
    return {
        "accuracy": 0.92 - _LOSS_A_DAY * steps + float(rng.normal(0, 0.004)),
        "population_stability_index": 0.04 + _DRIFT_A_DAY * steps + float(rng.uniform(0, 0.03)),
    }


def _run(
    rng: np.random.Generator,
    experiment: Experiment,
    name: str,
    start: datetime,
    status: str,
    metrics: dict[str, float],
) -> dict[str, Any]:
    seconds = int(rng.integers(120, 5400)) + (3600 if name == "overnight" else 0)
    end = start + timedelta(seconds=seconds)
    finished = status == "FINISHED"
    if finished and not metrics:
        metrics = {"accuracy": 0.92 + float(rng.normal(0, 0.004)), "loss": float(rng.uniform(0, 1))}
    source = "JOB" if experiment.endpoint else "NOTEBOOK"
    tags = [("mlflow.source.type", source)]
    if experiment.endpoint:
        tags.append(("model_name", model_name(experiment.endpoint)))
    return {
        "account_id": ACCOUNT,
        "workspace_id": experiment.home.workspace_id,
        "experiment_id": experiment.experiment_id,
        "created_by": experiment.home.owner,
        "start_time": start,
        "end_time": end,
        "run_name": name,
        "status": status,
        "params": [("learning_rate", f"{rng.uniform(0.001, 0.1):.4f}"), ("max_depth", "6")],
        "tags": tags,
        "aggregated_metrics": _aggregated(metrics) if finished else None,
        "delete_time": None,
    }


def _aggregated(metrics: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {
            "metric_name": name,
            "min_value": min(value, 0.9 * value),
            "max_value": max(value, 1.02 * value),
            "latest_value": value,
        }
        for name, value in metrics.items()
    ]


def _seen(run: dict[str, Any], run_id: str, until: datetime) -> dict[str, Any]:
    """A run as it is known by a moment: what is yet to come is not there."""
    row = {**run, "run_id": run_id, "update_time": run["end_time"]}
    if run["end_time"] >= until:
        row |= {
            "status": "RUNNING",
            "end_time": None,
            "aggregated_metrics": None,
            "update_time": run["start_time"],
        }
    deleted = run["delete_time"]
    if deleted is not None:
        row |= {"delete_time": None} if deleted >= until else {"update_time": deleted}
    return row
