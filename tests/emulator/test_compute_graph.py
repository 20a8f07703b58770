"""The task graph's rules: what may run after what, and how a run ends."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.compute.graph import Outcome, check_graph, dependents, run_result, skip_state
from emulator.compute.parameters import (
    Scope,
    UnknownReferenceError,
    for_each_inputs,
    holds,
    job_parameters,
    job_values,
    resolve,
)
from emulator.errors import ApiError


def task(key: str, *upstream: str, **more: Any) -> dict[str, Any]:
    return {"task_key": key, "depends_on": [{"task_key": k} for k in upstream], **more}


@pytest.mark.parametrize(
    ("tasks", "complaint"),
    [
        ([task("a"), task("a")], "not unique: a"),
        ([task("a", "b")], "unknown task 'b'"),
        ([task("a", "b"), task("b", "a"), task("c")], "depend on each other: a, b"),
        ([task("a", run_if="SOMETIMES")], "SOMETIMES"),
    ],
)
def test_unsound_graphs_are_refused(tasks, complaint):
    with pytest.raises(ApiError, match=complaint):
        check_graph(tasks)


OK, FAILED, EXCLUDED = Outcome("SUCCESS"), Outcome("FAILED"), Outcome("EXCLUDED")


@pytest.mark.parametrize(
    ("run_if", "first", "second", "expected"),
    [
        ("ALL_SUCCESS", OK, OK, None),
        ("ALL_SUCCESS", OK, FAILED, "UPSTREAM_FAILED"),
        ("ALL_SUCCESS", OK, Outcome("TIMEDOUT"), "UPSTREAM_FAILED"),
        ("ALL_SUCCESS", OK, Outcome("CANCELED"), "UPSTREAM_CANCELED"),
        ("ALL_SUCCESS", OK, EXCLUDED, "EXCLUDED"),
        ("AT_LEAST_ONE_SUCCESS", OK, FAILED, None),
        ("AT_LEAST_ONE_SUCCESS", FAILED, FAILED, "UPSTREAM_FAILED"),
        ("NONE_FAILED", OK, EXCLUDED, None),
        ("NONE_FAILED", OK, FAILED, "UPSTREAM_FAILED"),
        ("NONE_FAILED", EXCLUDED, EXCLUDED, "EXCLUDED"),
        ("ALL_DONE", FAILED, OK, None),
        ("ALL_DONE", EXCLUDED, EXCLUDED, "EXCLUDED"),
        ("AT_LEAST_ONE_FAILED", FAILED, OK, None),
        ("AT_LEAST_ONE_FAILED", OK, OK, "EXCLUDED"),
        ("ALL_FAILED", FAILED, Outcome("UPSTREAM_FAILED"), None),
        ("ALL_FAILED", FAILED, OK, "EXCLUDED"),
    ],
)
def test_run_if(run_if, first, second, expected):
    later = task("c", "a", "b", run_if=run_if)
    assert skip_state(later, {"a": first, "b": second}) == expected


def test_a_branch_runs_only_for_its_outcome():
    later = {"task_key": "b", "depends_on": [{"task_key": "a", "outcome": "true"}]}
    assert skip_state(later, {"a": Outcome("SUCCESS", "true")}) is None
    assert skip_state(later, {"a": Outcome("SUCCESS", "false")}) == "EXCLUDED"


def test_the_last_tasks_decide_how_the_run_ended():
    tasks = [task("a"), task("b", "a", run_if="ALL_DONE")]
    assert run_result(tasks, {"a": FAILED, "b": OK}) == "SUCCESS_WITH_FAILURES"
    assert run_result(tasks, {"a": OK, "b": FAILED}) == "FAILED"
    assert run_result(tasks, {"a": OK, "b": EXCLUDED}) == "SUCCESS"
    assert run_result(tasks, {"a": OK, "b": Outcome("CANCELED")}) == "CANCELED"
    assert dependents([*tasks, task("c", "b")], {"a"}) == {"b", "c"}


def test_references_are_replaced_at_any_depth():
    values = job_values("7", "refresh", 8, 1_767_315_600_000, {"catalog": "main"})
    scope = Scope(values, {"t": {"k": [1, 2], "a.b": "x"}}, {"table": "usage"})
    sent = {
        "a": "{{job.id}}/{{ job.run_id }} on {{job.start_time.iso_date}}",
        "b": ["{{job.parameters.catalog}}", {"c": "{{tasks.t.values.k}}{{tasks.t.values.a.b}}"}],
        "d": "{{input.table}}",
        "e": 5,
    }
    assert resolve(sent, scope) == {
        "a": "7/8 on 2026-01-02",
        "b": ["main", {"c": "[1, 2]x"}],
        "d": "usage",
        "e": 5,
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{{job.parameters.typo}}", "job.parameters.typo.* stands for nothing"),
        ("{{tasks.t.values.none}}", "task t has set no value none"),
        ("{{input.none}}", "the input has no none"),
    ],
)
def test_references_to_nothing_are_errors(text, complaint):
    scope = Scope({"job.id": "1"}, {"t": {}}, {"table": "usage"})
    with pytest.raises(UnknownReferenceError, match=complaint):
        resolve(text, scope)


def test_job_parameters_take_this_runs_values_and_refuse_unknown_ones():
    declared = [{"name": "catalog", "default": "main"}, {"name": "days", "default": "7"}]
    assert job_parameters(declared, {"days": "3"}) == [
        {"name": "catalog", "default": "main", "value": "main"},
        {"name": "days", "default": "7", "value": "3"},
    ]
    with pytest.raises(ValueError, match=r"no parameter day; its parameters are: catalog, days"):
        job_parameters(declared, {"day": "3"})


def test_conditions_compare_text_for_equality_and_numbers_for_order():
    assert holds("EQUAL_TO", "a", "a")
    assert not holds("NOT_EQUAL", "a", "a")
    assert holds("LESS_THAN", "9", "10")
    assert holds("GREATER_THAN_OR_EQUAL", "10.0", "10")
    with pytest.raises(UnknownReferenceError, match="compares numbers"):
        holds("GREATER_THAN", "b", "a")


def test_for_each_inputs_are_a_list_or_its_json():
    assert for_each_inputs('["a", {"b": 1}]') == ["a", {"b": 1}]
    assert for_each_inputs(["a"]) == ["a"]
    for wrong in ("a, b", '{"a": 1}'):
        with pytest.raises(UnknownReferenceError, match="list"):
            for_each_inputs(wrong)
