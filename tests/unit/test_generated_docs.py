"""The generated pages are current, and say what the definitions say."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from health_monitor.spec import Definitions, Gold, load_definitions

from tools import generated_docs
from tools.generated_docs_erd import erd_pages

ROOT = Path(__file__).parents[2]
COMMENT = "What it is. Technical: how it is made."
ENTITY = re.compile(r"  (\w+) \{")
COLUMN = re.compile(r"    [a-z]+ \w+( PK)?(,? FK)?")
RELATION = re.compile(r'  (\w+) \|\|(--|\.\.)o\{ (\w+) : "[\w, ]+"')


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return load_definitions(ROOT / "workloads" / "definitions")


def test_the_pages_of_this_repository_are_current() -> None:
    assert generated_docs.stale() == []


def test_a_page_that_is_not_current_is_named_with_the_command(tmp_path: Path) -> None:
    tree = tmp_path
    shutil.copytree(ROOT / "tests/infra/definitions", tree / "workloads/definitions")
    generated_docs.write(tree)
    assert generated_docs.stale(tree) == []
    definition = tree / "workloads/definitions/gold/billing/fact_usage.yml"
    definition.write_text(definition.read_text().replace("grain: ", "grain: exactly "))
    (tree / "docs/erd/nowhere.md").write_text("left over")
    (tree / "docs/erd/billing.md").unlink()
    assert generated_docs.stale(tree) == [
        "docs/catalog.md: does not say what the definitions say; run `make docs`",
        "docs/erd/billing.md: is missing; run `make docs`",
        "docs/erd/nowhere.md: its domain is gone; run `make docs`",
    ]
    changed = {str(path) for path in generated_docs.write(tree)}
    assert changed == {"docs/catalog.md", "docs/erd/billing.md", "docs/erd/nowhere.md"}
    assert generated_docs.stale(tree) == []
    assert "- grain: exactly " in (tree / "docs/catalog.md").read_text()


def test_the_catalog_has_every_table_once(definitions: Definitions) -> None:
    wanted = [
        t.table for kind in ("bronze", "silver", "gold") for t in definitions.of(kind).values()
    ]
    text = generated_docs.catalog(definitions)
    assert sorted(re.findall(r"^#### (\S+)$", text, re.MULTILINE)) == sorted(wanted)
    fact = text[text.index("#### gold.fact_usage\n") :].split("\n####")[0]
    assert "- grain: one billing record, all record types\n- key: record_id\n" in fact
    assert "- refers: sku_name, cloud to gold.dim_sku\n" in fact
    assert "- feeds: silver.silver_usage, " in fact
    assert max(map(len, text.splitlines())) <= 100


def gold(name: str, key: list[str], *more: str, **changed: object) -> Gold:
    columns = {c: {"type": "decimal(38,18)", "comment": COMMENT} for c in (*key, *more)}
    body = {"kind": "gold", "domain": "a", "name": name, "path": name, "comment": COMMENT}
    return Gold.model_validate({**body, "grain": "x", "key": key, "columns": columns, **changed})


def test_a_diagram_shows_keys_and_what_they_lead_to() -> None:
    tables = [
        gold("dim_job", ["workspace_id", "job_id", "valid_from"], "valid_to", "is_current", "name"),
        gold("dim_sku", ["sku"], "label", domain="b"),
        gold(
            "fact",
            ["id"],
            "workspace_id",
            "job_id",
            "sku",
            "amount",
            foreign_keys=[{"columns": ["sku"], "references": "gold.dim_sku"}],
        ),
    ]
    pages = erd_pages({table.name: table for table in tables})
    assert pages.keys() == {"a", "b"}
    diagram = pages["a"].split("erDiagram\n")[1].split("```")[0].splitlines()
    assert diagram == [
        "  dim_job {",
        "    decimal workspace_id PK",
        "    decimal job_id PK",
        "    decimal valid_from PK",
        "    decimal valid_to",
        "    decimal is_current",
        "  }",
        "  fact {",
        "    decimal id PK",
        "    decimal workspace_id",
        "    decimal job_id",
        "    decimal sku FK",
        "  }",
        "  dim_sku {",
        "    decimal sku PK",
        "  }",
        '  dim_sku ||--o{ fact : "sku"',
        '  dim_job ||..o{ fact : "workspace_id, job_id at its time"',
    ]


def test_every_diagram_is_mermaid_and_closed_in_itself(definitions: Definitions) -> None:
    for domain, page in erd_pages(definitions.gold).items():
        lines = page.split("erDiagram\n")[1].split("\n```")[0].splitlines()
        entities = {found[1] for line in lines if (found := ENTITY.fullmatch(line))}
        assert {t.name for t in definitions.gold.values() if t.domain == domain} <= entities
        for line in lines:
            if relation := RELATION.fullmatch(line):
                assert {relation[1], relation[3]} <= entities, line
            else:
                assert line == "  }" or ENTITY.fullmatch(line) or COLUMN.fullmatch(line), line
