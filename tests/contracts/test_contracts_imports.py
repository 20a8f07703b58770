"""Who may import whom: the rooms of the house, read from the code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    "infra": ROOT / "infra",
    "spec": ROOT / "workloads" / "health_monitor" / "spec",
    "workloads": ROOT / "workloads",
    "emulator": ROOT / "emulator",
    "tools": ROOT / "tools",
}
OURS = ("infra", "health_monitor", "emulator", "tools")
ALLOWED = {
    "infra": ("infra", "health_monitor.spec"),
    "spec": ("health_monitor.spec", "health_monitor.__version__"),
    "workloads": ("health_monitor",),
    "emulator": ("emulator",),
    "tools": OURS,
}
ENGINES = ("pyspark", "cdktf", "cdktf_cdktf_provider_databricks", "pandas", "mlflow", "sklearn")


def imports(path: Path) -> set[str]:
    """The modules that a file imports, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            found.add(f"relative import in {path.name}")
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def belongs(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def files(room: str) -> list[Path]:
    found = sorted(ROOMS[room].rglob("*.py"))
    assert found, f"{room} is empty"
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): sorted(module)
        for path in files(room)
        if (
            module := {
                name
                for name in imports(path)
                if belongs(name, OURS) and not belongs(name, ALLOWED[room])
            }
        )
    }
    assert wrong == {}


def test_spec_imports_no_engine() -> None:
    wrong = {
        str(path.relative_to(ROOT)): name
        for path in files("spec")
        for name in imports(path)
        if belongs(name, ENGINES)
    }
    assert wrong == {}


def test_cdktf_stands_only_in_infra_and_the_provider_only_in_constructs() -> None:
    providers = ("cdktf_cdktf_provider_databricks",)
    wrong = {
        str(path.relative_to(ROOT))
        for room in ("workloads", "emulator", "tools", "infra")
        for path in files(room)
        for name in imports(path)
        if (belongs(name, ("cdktf",)) and room != "infra")
        or (belongs(name, providers) and ROOT / "infra" / "constructs" not in path.parents)
    }
    assert wrong == set()


def test_no_code_asks_whether_it_is_local() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for room in ("infra", "workloads")
        for path in files(room)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        and any(isinstance(c, ast.Constant) and c.value == "local" for c in node.comparators)
    ]
    assert wrong == []
