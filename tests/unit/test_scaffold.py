"""`make new`: a first version of every kind is valid, and nothing is overwritten."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from health_monitor.spec import load_definitions
from health_monitor.spec.loader import SUFFIXES

from tools import scaffold
from tools.console import DriverError
from tools.scaffold import DEFINITIONS, READS, TEMPLATES, new

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small folder of definitions."""
    shutil.copytree(ROOT / "tests" / "infra" / "definitions", tmp_path / DEFINITIONS)
    return tmp_path


def everything(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_kind_has_its_template() -> None:
    assert {path.stem for path in TEMPLATES.iterdir()} == SUFFIXES.keys() == READS.keys()


def test_a_first_version_of_every_kind_is_valid(tmp_path: Path) -> None:
    """Beside this repository's definitions; a monitor needs a free table, a check needs a job."""
    shutil.copytree(ROOT / DEFINITIONS, tmp_path / DEFINITIONS)
    names = dict.fromkeys(SUFFIXES, "fact_first") | {"metric_views": "first"}
    domains = dict.fromkeys(SUFFIXES, "support") | {"checks": "daily_health_check"}
    written = {
        kind: new(kind, f"{domains[kind]}/{names[kind]}", root=tmp_path) for kind in SUFFIXES
    }
    definitions = load_definitions(tmp_path / DEFINITIONS)
    for kind, paths in written.items():
        made = definitions.of(kind)[names[kind]]
        assert (made.kind, made.domain) == (kind, domains[kind])
        files = [path.name.removeprefix(names[kind]) for path in paths if kind in path.parts]
        assert files == list(SUFFIXES[kind])
        cases = [path.parent.name for path in paths if path.parts[0] == "tests"]
        assert cases == {"silver": ["silver_fact_first"], "gold": ["fact_first"]}.get(kind, [])


def test_a_history_becomes_a_type_2_dimension(tree: Path) -> None:
    source = tree / DEFINITIONS / "silver" / "billing" / "usage.yml"
    text = source.read_text().replace("keeps: latest", "keeps: history")
    source.write_text(text)
    new("gold", "support/dim_place", root=tree)
    made = load_definitions(tree / DEFINITIONS).gold["dim_place"]
    assert made.key == ["record_id", "valid_from"]
    assert {"valid_to", "is_current"} <= made.columns.keys()


@pytest.mark.parametrize(
    ("kind", "name", "reads", "told"),
    [
        ("golds", "cost/x", None, "KIND is 'golds'; allowed: bronze, silver, gold, "),
        ("gold", "fact_x", None, "NAME is 'fact_x'; allowed: domain/name in lower case"),
        ("gold", "cost/Fact", None, "NAME is 'cost/Fact'; allowed: "),
        ("gold", "../x/y", None, "NAME is '../x/y'; allowed: "),
        ("gold", "cost/fact_usage", None, "gold has a 'fact_usage' already"),
        (
            "gold",
            "cost/x",
            "silver.nothing",
            "silver.nothing, which .* does not exist; there are: ",
        ),
        ("silver", "cost/nothing", None, "bronze.bronze_nothing, .* does not exist; there are: "),
        ("monitors", "cost/x", "gold.fact_usage", "gold.fact_usage has a monitor already"),
        (
            "models",
            "cost/x",
            "gold.fact_usage",
            "gold.fact_usage has no column of type decimal or double",
        ),
        ("metric_views", "cost/fact_usage", None, "gold has a 'fact_usage' already"),
        ("checks", "cost/x", None, "no job cost asks this; there are: annual_recovery_drill, "),
    ],
)
def test_what_cannot_be_is_refused(
    tree: Path, kind: str, name: str, reads: str | None, told: str
) -> None:
    before = everything(tree)
    with pytest.raises(DriverError, match=told):
        new(kind, name, reads, root=tree)
    assert everything(tree) == before


def test_a_file_that_is_there_is_not_overwritten(tree: Path) -> None:
    case = tree / "tests" / "tables" / "fact_x" / "first.yml"
    case.parent.mkdir(parents=True)
    case.write_text("mine\n")
    with pytest.raises(DriverError, match="exist already; nothing was written") as caught:
        new("gold", "cost/fact_x", root=tree)
    assert caught.value.where == "tests/tables/fact_x/first.yml"
    assert case.read_text() == "mine\n"
    assert not (tree / DEFINITIONS / "gold" / "cost").exists()


def test_a_template_that_is_wrong_writes_nothing(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    text = (TEMPLATES / "gold.j2").read_text()
    (templates / "gold.j2").write_text(text.replace("FROM {{ table.name }}", "FROM gold.nowhere"))
    monkeypatch.setattr(scaffold, "TEMPLATES", templates)
    with pytest.raises(DriverError, match=r"would not be valid:\n.*fact_x\.sql.*gold\.nowhere"):
        new("gold", "cost/fact_x", root=tree)
    assert not (tree / DEFINITIONS / "gold" / "cost").exists()


def test_the_command_says_how_it_went() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tools", "new", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    refused = run("golds", "cost/x")
    assert refused.returncode == 1
    assert "KIND is 'golds'; allowed: bronze, silver, gold" in refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr
    assert run("gold").returncode == 2
    help_text = " ".join(run("--help").stdout.split())
    assert f"one of: {', '.join(SUFFIXES)}" in help_text
