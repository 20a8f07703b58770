"""A state that somebody else writes: what a second command says, how a dead lock is released."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import deploying
from infra.locks import Lock, lock_in
from infra.planning import Outcome
from infra.preflight import find
from infra.terraform import current_variables
from tests.infra.drift.deploys import ENVIRONMENT, STACK, Deploys
from tests.infra.test_infra_drift import state_bucket

PLAIN = """
{name}  ╷
{pad}│ Error: Error acquiring the state lock
{pad}│ Error message: operation error S3: PutObject, https response error
{pad}│ StatusCode: 412
{pad}│ Lock Info:
{pad}│   ID:        3c06d197-a2be-66a4-3671-8f26635be895
{pad}│   Path:      health-monitor-state/prod/ml.tfstate
{pad}│   Operation: OperationTypeApply
{pad}│   Who:       runner@ci-7
{pad}│   Version:   1.11.4
{pad}│   Created:   2026-11-27 01:48:07.973064194 +0000 UTC
"""


@pytest.mark.parametrize(("name", "pad"), [("", ""), ("ml-prod", "         ")])
def test_a_lock_is_read_from_what_terraform_and_cdktf_print(name: str, pad: str) -> None:
    lock = lock_in(PLAIN.format(name=name, pad=pad))
    assert lock is not None
    assert (lock.state, lock.operation, lock.who) == ("ml", "apply", "runner@ci-7")
    said = lock.message(Path("cdktf.out/stacks/ml-prod"))
    assert "locked by runner@ci-7 since 2026-11-27 01:48:07 (apply)" in said
    command = "terraform -chdir=cdktf.out/stacks/ml-prod force-unlock "
    assert f"{command}3c06d197-a2be-66a4-3671-8f26635be895" in said


@pytest.mark.parametrize("text", ["", "Error: no", "Error acquiring the state lock\nno network"])
def test_another_error_is_no_lock(text: str) -> None:
    assert lock_in(text) is None


def test_a_lock_says_what_it_does_not_know() -> None:
    lock = lock_in("Error acquiring the state lock\nLock Info:\n  ID: 7\n  Path: b/ml.tfstate\n")
    assert lock == Lock("7", "ml", "unknown operation", "somebody", "an unknown time")


@pytest.fixture
def deploys(tmp_path: Path) -> Iterator[Deploys]:
    with state_bucket() as bucket:
        variables = current_variables()
        find("cdktf", variables)
        yield Deploys(tmp_path, {**variables, **bucket})


@pytest.mark.terraform
def test_of_two_deploys_the_second_is_refused_and_the_first_ends(deploys: Deploys) -> None:
    with deploys.at_work() as first:
        code, said = deploys.deploy()
        assert code == 1
        assert f"the state of {STACK} is locked by " in said and "(apply)" in said
        deploys.lock_id(said)
        (plan,) = deploys.planner.plan(["governance"])
        assert plan.outcome is Outcome.FAILED and "is locked by" in plan.errors[0]
        destroyed: list[str] = []
        assert (
            deploying.destroy(
                ENVIRONMENT,
                ["governance"],
                deploys.planner.terraform,
                deploys.planner.output,
                destroyed.append,
            )
            == 1
        )
        assert "is locked by" in destroyed[0]
        deploys.go.touch()
        assert first.wait(timeout=60) == 0
    assert deploys.deploy()[0] == 0
    assert deploys.made.read_text() == "x\n"
