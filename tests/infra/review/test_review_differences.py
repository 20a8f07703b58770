"""Items of lists are matched by identity; documents inside of texts are compared by their parts."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from infra.review.differences import differences
from infra.review.plan_file import Plan, PlannedChange
from infra.review.text_diff import diff_lines
from infra.review.values import UNKNOWN, Masked, Reader, Secrets
from tests.infra.review.recorded import change, reviewed


def found(before: Any, after: Any) -> list[str]:
    return [f"{item.kind.value} {item.where}" for item in differences(before, after)]


def entry(**values: Any) -> dict[str, Any]:
    return values


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # Position says nothing: a new entry in front changes no other.
        (
            {"grant": [entry(principal="a", privileges=["X"])]},
            {
                "grant": [
                    entry(principal="b", privileges=["X"]),
                    entry(principal="a", privileges=["X"]),
                ]
            },
            ["added grant[b]"],
        ),
        (
            {"task": [entry(task_key="a", retries=1), entry(task_key="b", retries=1)]},
            {"task": [entry(task_key="b", retries=2), entry(task_key="a", retries=1)]},
            ["changed task[b].retries"],
        ),
        (
            {"access_control": [entry(group_name="g", user_name="", level="V")]},
            {"access_control": [entry(group_name="", user_name="u", level="V")]},
            ["removed access_control[g]", "added access_control[u]"],
        ),
        ({"p": ["A", "B"]}, {"p": ["B", "A"]}, ["reordered p"]),
        ({"p": ["A", "B"]}, {"p": ["B"]}, ["removed p"]),
        ({"p": ["A"]}, {"p": ["A", "C"]}, ["added p"]),
        ({"p": ["A"]}, {"p": ["C"]}, ["changed p"]),
        # Two entries of one name have no identity: what is equal belongs together.
        (
            {"x": [entry(name="n", v=1), entry(name="n", v=2)]},
            {"x": [entry(name="n", v=2), entry(name="n", v=3)]},
            ["changed x[0].v"],
        ),
        (
            {"schedule": [entry(cron="1")]},
            {"schedule": [entry(cron="2")]},
            ["changed schedule.cron"],
        ),
        # Null, absent and an empty block are the same; false and 0 are not.
        ({"a": None, "b": [], "c": {}}, {}, []),
        ({"a": False}, {"a": 0}, ["changed a"]),
        ({"a": None}, {"a": False}, ["added a"]),
    ],
)
def test_differences(before: Any, after: Any, expected: list[str]) -> None:
    assert found(before, after) == expected


def read(value: Any, unknown: Any = False, sensitive: Any = False) -> Any:
    reader = Reader(Secrets(Plan(format_version="1.2")))
    return reader.read(value, unknown, sensitive)


def test_marks_are_followed_into_structures() -> None:
    value = {"a": [{"b": "x", "c": "y"}], "d": None, "e": 1}
    read_value = read(value, {"a": [{"c": True}], "d": True}, {"a": [{"b": True}]})
    assert read_value == {"a": [{"b": Masked("x"), "c": UNKNOWN}], "d": UNKNOWN, "e": 1}
    assert "x" not in str(read_value["a"][0]["b"]) and "x" not in repr(read_value["a"][0]["b"])


def test_a_secret_is_found_in_what_has_no_mark() -> None:
    secret = "s3cret-value"
    change_of_secret = PlannedChange(
        actions=["update"],
        before={"token": secret},
        after={
            "url": f"https://host/{secret}",
            "file_base64": base64.b64encode(secret.encode()).decode(),
            "json": f'{{"key": "{secret}"}}',
            "other": "open",
        },
        before_sensitive={"token": True},
    )
    plan = Plan(format_version="1.2", output_changes={"o": change_of_secret})
    after = Reader(Secrets(plan)).after(change_of_secret)
    assert secret not in str(after) and after["other"] == "open"


def test_a_file_and_a_dashboard_are_read_as_what_they_are() -> None:
    encoded = base64.b64encode(b"SELECT 1\n").decode()
    assert read({"content_base64": encoded}) == {"content_base64": "SELECT 1\n"}
    text = '{"datasets": [{"name": "d", "queryLines": ["SELECT 1,\\n", "2\\n"]}]}'
    assert read(text) == {"datasets": [{"name": "d", "queryLines": "SELECT 1,\n2\n"}]}
    binary = base64.b64encode(b"\xff\xfe\x00").decode()
    assert "binary, 3 bytes" in read({"content_base64": binary})["content_base64"]


def test_widgets_are_matched_by_id_and_queries_shown_by_line() -> None:
    dashboard = change(reviewed("shown"), "databricks_dashboard.cost").change
    assert [item.where for item in dashboard.differences] == [
        "serialized_dashboard.datasets[usage].queryLines",
        "serialized_dashboard.pages[main].layout[total].widget.spec.frame.title",
    ]
    lines = diff_lines(dashboard.differences)
    assert "-       sum(cost) AS cost" in lines and "+       max(cost) AS cost" in lines
    assert " SELECT usage_date," in lines


def test_tasks_are_matched_by_key_in_a_real_plan() -> None:
    tasks = change(reviewed("jobs"), "tasks").change
    assert [item.where for item in tasks.differences] == ["task[check].max_retries", "task[first]"]
