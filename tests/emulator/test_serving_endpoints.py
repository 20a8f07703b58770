"""A model's way from MLflow to an endpoint that answers, on a workspace that really runs."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import mlflow
import pandas as pd
import psutil
import pytest
from databricks.sdk.errors import BadRequest, InvalidParameterValue, NotFound
from databricks.sdk.service.serving import Route, ServedEntityInput, TrafficConfig
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

from emulator.services.serving.metrics import Metrics
from emulator.store import Store
from tests.emulator.workspace_server import RunningWorkspace

MODEL = "spark_catalog.ml.doubler"
P95_MS = 100  # measured 35 ms with seven other jobs on two cores


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorkspace]:
    folder = tmp_path_factory.mktemp("serving")
    server = RunningWorkspace(folder / "state", folder)
    server.client.catalogs.create("spark_catalog")
    server.client.schemas.create("ml", "spark_catalog")
    server.client.registered_models.create(
        catalog_name="spark_catalog", schema_name="ml", name="doubler"
    )
    yield server
    server.stop()


@pytest.fixture(scope="module")
def versions(running: RunningWorkspace) -> Iterator[list[str]]:
    """Version 1 doubles its input, version 2 trebles it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_TOKEN", running.token)
        mlflow.set_tracking_uri(running.url)
        mlflow.set_registry_uri(running.url)
        mlflow.set_experiment("/Shared/doubler")
        made = []
        for factor in (2.0, 3.0):
            inputs = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
            model = LinearRegression().fit(inputs, inputs["x"] * factor)
            with mlflow.start_run():
                logged = mlflow.sklearn.log_model(
                    model,
                    name="model",
                    signature=infer_signature(inputs, model.predict(inputs)),
                    registered_model_name=MODEL,
                    pip_requirements=["scikit-learn"],
                )
            made.append(str(logged.registered_model_version))
        mlflow.MlflowClient().set_registered_model_alias(MODEL, "champion", made[0])
        yield made
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)


@pytest.fixture(scope="module")
def endpoint(running: RunningWorkspace, versions: list[str]) -> str:
    running.client.serving_endpoints.create(name="doubler")
    running.client.serving_endpoints.update_config_and_wait("doubler", served_entities=_served("1"))
    return "doubler"


def _served(version: str, name: str | None = None) -> list[ServedEntityInput]:
    entity = ServedEntityInput(
        entity_name=MODEL, entity_version=version, name=name, workload_size="Small"
    )
    return [entity]


def _ask(running: RunningWorkspace, x: Any) -> Any:
    body = {"dataframe_split": {"columns": ["x"], "data": [[x]]}}
    return running.http.post("/serving-endpoints/doubler/invocations", json=body)


def test_unity_catalog_shows_what_the_registry_has(running, versions):
    assert versions == ["1", "2"]
    shown = running.client.registered_models.get(MODEL, include_aliases=True)
    assert [(a.alias_name, a.version_num) for a in shown.aliases] == [("champion", 1)]
    listed = [v.version for v in running.client.model_versions.list(MODEL)]
    assert listed == [2, 1]
    by_alias = running.client.model_versions.get_by_alias(MODEL, "champion")
    assert (by_alias.version, by_alias.status.value) == (1, "READY")
    with pytest.raises(NotFound):
        running.client.model_versions.get(MODEL, 3)


def test_a_deleted_experiment_frees_its_name(running, versions):
    experiments = running.client.experiments
    first = experiments.create_experiment(name="/Shared/again").experiment_id
    experiments.delete_experiment(first)
    assert experiments.create_experiment(name="/Shared/again").experiment_id != first


def test_endpoint_answers_all_forms(running, endpoint):
    shown = running.client.serving_endpoints.get(endpoint)
    assert (shown.state.ready.value, shown.config.served_entities[0].name) == ("READY", "doubler-1")
    assert _ask(running, 4.0).json()["predictions"] == pytest.approx([8.0])
    answer = running.client.serving_endpoints.query(endpoint, dataframe_records=[{"x": 5.0}])
    assert answer.predictions == pytest.approx([10.0])


def test_a_row_that_breaks_the_signature(running, endpoint):
    answer = _ask(running, "no number")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")
    assert set(answer.json()) == {"error_code", "message"}


def test_one_row_is_answered_fast(running, endpoint):
    times = []
    for _ in range(60):
        begin = time.perf_counter()
        assert _ask(running, 1.0).status_code == 200
        times.append((time.perf_counter() - begin) * 1000)
    assert sorted(times)[int(len(times) * 0.95)] < P95_MS


def test_traffic_is_split(running, endpoint):
    both = _served("1", "two") + _served("2", "three")
    halves = [
        Route(served_model_name="two", traffic_percentage=50),
        Route(served_model_name="three", traffic_percentage=50),
    ]
    running.client.serving_endpoints.update_config_and_wait(
        endpoint, served_entities=both, traffic_config=TrafficConfig(routes=halves)
    )
    found = {round(_ask(running, 1.0).json()["predictions"][0]) for _ in range(40)}
    assert found == {2, 3}
    wrong = TrafficConfig(routes=[Route(served_model_name="two", traffic_percentage=90)])
    with pytest.raises(InvalidParameterValue, match="add up to 90"):
        running.client.serving_endpoints.update_config(
            endpoint, served_entities=both, traffic_config=wrong
        )


def test_a_dead_scorer_is_started_again(running, endpoint):
    children = psutil.Process(running.process.pid).children()
    scorers = [c for c in children if "emulator.services.serving.scorer" in " ".join(c.cmdline())]
    assert scorers
    for scorer in scorers:
        scorer.send_signal(signal.SIGKILL)
    psutil.wait_procs(scorers, timeout=10)
    assert _ask(running, 1.0).status_code == 200


def test_an_absent_version_and_an_inference_table_are_refused(running, endpoint):
    with pytest.raises(NotFound, match="Version 9"):
        running.client.serving_endpoints.update_config(endpoint, served_entities=_served("9"))
    table = {"inference_table_config": {"enabled": True, "catalog_name": "spark_catalog"}}
    answer = running.http.put(f"/api/2.0/serving-endpoints/{endpoint}/ai-gateway", json=table)
    assert answer.status_code == 400
    assert "inference tables" in answer.json()["message"]


def test_a_model_that_does_not_load_leaves_the_old_one_serving(running, endpoint):
    broken = ServedEntityInput(
        entity_name=MODEL, entity_version="2", environment_vars={"MLFLOW_TRACKING_URI": "file:///"}
    )
    running.client.serving_endpoints.update_config(endpoint, served_entities=[broken])
    state = "IN_PROGRESS"
    while state == "IN_PROGRESS":
        time.sleep(0.2)
        state = running.client.serving_endpoints.get(endpoint).state.config_update.value
    assert state == "UPDATE_FAILED"
    assert _ask(running, 1.0).status_code == 200


def test_figures_survive_a_restart(tmp_path):
    store = Store(tmp_path / "workspace.db")
    metrics = Metrics(store, "e")
    for milliseconds in range(1, 101):
        metrics.add(float(milliseconds), failed=milliseconds > 99)
    metrics.save()
    again = Metrics(store, "e")
    again.add(1000.0, failed=False)
    again.save()
    shown = store.get("serving_metrics", "e") or {}
    assert (shown["requests"], shown["errors"]) == (101, 1)
    assert (shown["p50_ms"], shown["p95_ms"]) == (51.0, 96.0)


def test_unready_endpoint_says_so(running):
    running.client.serving_endpoints.create(name="empty")
    with pytest.raises(BadRequest, match="serves nothing yet"):
        running.client.serving_endpoints.query("empty", dataframe_records=[{"x": 1.0}])
