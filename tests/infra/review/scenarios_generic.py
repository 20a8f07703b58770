"""Traps that plans of any provider hold, with the resource that is built into Terraform."""

from __future__ import annotations

from typing import Any

from tests.infra.review.make_plans import Json, Scenario


def data(**resources: Any) -> Json:
    """Resources of the kind that needs no provider."""
    return {"resource": {"terraform_data": resources}}


FIRST = {"lifecycle": {"create_before_destroy": True}}
# The new object fails when the old one is already put aside: one address, two objects.
FAILING = {"provisioner": [{"local-exec": {"command": "exit 1"}}]}
ONE = data(it={"input": "a"})
REPLAN = data(
    first={"input": "a"},
    second={"input": "${terraform_data.first.output}"},
    third={"input": "${terraform_data.first.id}-${terraform_data.second.id}"},
)
REPLAN_AFTER = data(
    first={"input": "b"},
    second={"input": "${terraform_data.first.output}"},
    third={"input": "${terraform_data.first.id}-${terraform_data.second.id}"},
)
SECRET = {
    "variable": {"password": {"type": "string", "sensitive": True}},
    "resource": {
        "terraform_data": {
            "account": {"input": {"user": "reader", "password": "${var.password}"}},
            "open": {"input": "visible"},
        }
    },
}
GENERIC: dict[str, Scenario] = {
    "tainted": Scenario(ONE, ONE, apply=True, taint="terraform_data.it"),
    "requested": Scenario(ONE, ONE, apply=True, options=("-replace=terraform_data.it",)),
    "triggered": Scenario(
        data(it={"input": "a", "triggers_replace": ["2"]}),
        data(it={"input": "a", "triggers_replace": ["1"]}),
        apply=True,
    ),
    "triggered_by_other": Scenario(
        data(
            cause={"input": "b"},
            it={
                "input": "a",
                "lifecycle": {"replace_triggered_by": ["terraform_data.cause.input"]},
            },
        ),
        data(cause={"input": "a"}, it={"input": "a"}),
        apply=True,
    ),
    "moved": Scenario(
        {
            **data(new={"input": "a"}, changed={"input": "b"}),
            "moved": [
                {"from": "terraform_data.old", "to": "terraform_data.new"},
                {"from": "terraform_data.was", "to": "terraform_data.changed"},
            ],
        },
        data(old={"input": "a"}, was={"input": "a"}),
        apply=True,
    ),
    "forgotten": Scenario(
        {"removed": [{"from": "terraform_data.it", "lifecycle": {"destroy": False}}]},
        ONE,
        apply=True,
    ),
    "errored": Scenario(
        data(
            fine={"input": "b"},
            wrong={
                "input": "b",
                "lifecycle": {
                    "precondition": [
                        {
                            "condition": '${terraform_data.fine.input == "a"}',
                            "error_message": "fine must stay a",
                        }
                    ]
                },
            },
        ),
        data(fine={"input": "a"}, wrong={"input": "a"}),
        apply=True,
    ),
    "deposed": Scenario(
        data(it={"input": "a", "triggers_replace": ["2"], **FIRST, **FAILING}),
        data(it={"input": "a", "triggers_replace": ["1"], **FIRST}),
        apply=True,
        apply_after=True,
    ),
    "imported": Scenario(
        {
            **data(it={}),
            "import": [{"to": "terraform_data.it", "id": "0b1e3c4d-0000-4000-8000-000000000000"}],
        },
        apply=True,
    ),
    "unchanged": Scenario(ONE, ONE, apply=True),
    "outputs": Scenario(
        {**ONE, "output": {"region": {"value": "b"}}},
        {**ONE, "output": {"region": {"value": "a"}}},
        apply=True,
    ),
    "refresh_only_unchanged": Scenario(ONE, ONE, apply=True, options=("-refresh-only",)),
    "sensitive": Scenario(SECRET, SECRET, apply=True, options=("-var=password=hunter2-after",)),
    "replan": Scenario(REPLAN_AFTER, REPLAN, apply=True, again=True),
    "folded": Scenario(
        data(**{f"it_{number}": {"input": {"wheel": "2", "job": number}} for number in range(5)}),
        data(**{f"it_{number}": {"input": {"wheel": "1", "job": number}} for number in range(5)}),
        apply=True,
    ),
}
