"""What the jobs call exists in the wheel and takes the parameters that they give."""

from __future__ import annotations

import ast
import tomllib

from infra.paths import WORKLOADS
from tests.infra.conftest import Stacks

ALWAYS = {"catalog", "definitions"}


def accepted() -> dict[str, tuple[set[str], set[str]]]:
    """Entry point -> the parameters that it needs and those that it may take, from its source."""
    tree = ast.parse((WORKLOADS / "health_monitor" / "entry_points.py").read_text())
    found = {}
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
            call = next(
                node
                for node in ast.walk(function)
                if isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "_arguments"
            )
            needed = {ast.literal_eval(argument) for argument in call.args}
            optional = {name for k in call.keywords for name in ast.literal_eval(k.value)}
            found[function.name] = (ALWAYS | needed, optional)
    return found


def test_every_wheel_task_fits_its_entry_point(stacks_of: dict[str, Stacks]) -> None:
    scripts = tomllib.loads((WORKLOADS / "pyproject.toml").read_text())["project"]["scripts"]
    known = accepted()
    called = set()
    for stack in stacks_of["dev"].values():
        for job in stack["resource"].get("databricks_job", {}).values():
            for task in job["task"]:
                if "python_wheel_task" not in task:
                    continue
                wheel_task = task["python_wheel_task"]
                name, given = wheel_task["entry_point"], set(wheel_task["named_parameters"])
                assert scripts[name] == f"health_monitor.entry_points:{name}"
                needed, optional = known[name]
                assert needed <= given <= needed | optional, name
                called.add(name)
    assert called == set(scripts)
