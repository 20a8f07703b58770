"""Pages that definitions write: the catalog of tables, and what is current of them on disk."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from health_monitor.gold.order import feeds_of
from health_monitor.spec import Bronze, Definitions, Gold, Silver, load_definitions

from tools.generated_docs_erd import erd_pages
from tools.paths import ROOT

CATALOG = Path("docs") / "catalog.md"
ERD = Path("docs") / "erd"
COMMAND = "make docs"
WIDTH = 100
LAYERS = {
    "bronze": "source tables, kept as they are",
    "silver": "checked rows, each once; rows that broke a drop rule are in a table beside it",
    "gold": "facts, dimensions and summaries for analysts",
}
Table = Bronze | Silver | Gold


def pages(root: Path = ROOT) -> dict[Path, str]:
    """Every generated page and its text."""
    definitions = load_definitions(root / "workloads" / "definitions")
    found = {ERD / f"{domain}.md": text for domain, text in erd_pages(definitions.gold).items()}
    return {CATALOG: catalog(definitions), **found}


def stale(root: Path = ROOT) -> list[str]:
    """What is wrong with the pages on disk, one line a page."""
    wanted = pages(root)
    problems = [f"{path}: its domain is gone" for path in _left_over(root, wanted)]
    for path, text in wanted.items():
        if not (root / path).exists():
            problems.append(f"{path}: is missing")
        elif (root / path).read_text(encoding="utf-8") != text:
            problems.append(f"{path}: does not say what the definitions say")
    return [f"{problem}; run `{COMMAND}`" for problem in sorted(problems)]


def write(root: Path = ROOT) -> list[Path]:
    """Bring all pages up to date; the paths of those that changed."""
    wanted = pages(root)
    changed = _left_over(root, wanted)
    for path in changed:
        (root / path).unlink()
    for path, text in wanted.items():
        file = root / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def _left_over(root: Path, wanted: dict[Path, str]) -> list[Path]:
    there = (path.relative_to(root) for path in (root / ERD).glob("*.md"))
    return sorted(path for path in there if path not in wanted)


def catalog(definitions: Definitions) -> str:
    """All tables, by layer and domain."""
    counts = ", ".join(f"{len(definitions.of(layer))} {layer}" for layer in LAYERS)
    lines = [
        "# Catalog of tables",
        "",
        f"Made from `workloads/definitions` by `{COMMAND}`; not to be edited. {counts}.",
        "When tables are refreshed stands in `environments/`; what a refresh does stands here.",
    ]
    for layer, meaning in LAYERS.items():
        lines += ["", f"## {layer.capitalize()}: {meaning}"]
        tables: list[Table] = sorted(
            definitions.of(layer).values(), key=lambda table: (table.domain, table.name)
        )
        for domain in sorted({table.domain for table in tables}):
            link = f" ([keys and relations](erd/{domain}.md))" if layer == "gold" else ""
            lines += ["", f"### {layer} / {domain}{link}"]
            for table in (table for table in tables if table.domain == domain):
                lines += ["", f"#### {table.table}", *_body(table)]
    return "\n".join(lines) + "\n"


def _body(table: Table) -> Iterator[str]:
    meaning, _, how = table.comment.partition(" Technical: ")
    yield from textwrap.wrap(meaning, WIDTH, break_long_words=False, break_on_hyphens=False)
    for name, text in {**_facts(table), **_personal(table), "how": how}.items():
        yield from textwrap.wrap(
            f"- {name}: {text}",
            WIDTH,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _personal(table: Table) -> dict[str, str]:
    """The columns that say who somebody is; silver has those of its bronze table."""
    marked = [name for name, column in table.columns.items() if column.contains_pii]
    masked = "; masked" if isinstance(table, Gold) and table.type == "table" else ""
    return {"personal": _names(marked) + masked} if marked else {}


def _facts(table: Table) -> dict[str, str]:
    match table:
        case Bronze():
            return _bronze(table)
        case Silver():
            return _silver(table)
        case Gold():
            return _gold(table)


def _bronze(table: Bronze) -> dict[str, str]:
    by_day = " and day" if table.mode == "daily_snapshot" else ""
    kept = f", which keeps {table.retention_days} days" if table.retention_days else ""
    absent = "; optional, not assessed where it is absent" if table.optional else ""
    return {
        "grain": f"one row per {_names(table.key)}{by_day}",
        "key": _names(table.key),
        "feeds": f"system.{table.source}{kept}{absent}",
        "refresh": _read(table),
        **_protected(table),
    }


def _protected(table: Bronze) -> dict[str, str]:
    """What of the source is not kept as it is."""
    protect = table.protect
    kinds = {
        "dropped": protect.drop,
        "hashed": protect.hash,
        "redacted": list(protect.redact),
        "rewritten": list(protect.rewrite),
    }
    found = [f"{_names(names)} {how}" for how, names in kinds.items() if names]
    return {"protects": "; ".join(found)} if found else {}


def _read(table: Bronze) -> str:
    if table.watermark is not None and table.mode in ("append", "incremental_merge"):
        arrived = "new ones are appended" if table.mode == "append" else "changes are merged"
        since, overlap = table.watermark.column, table.watermark.overlap_days
        return f"rows since the last {since} minus {overlap} days are read again, {arrived}"
    return {
        "append": "the source is compared whole, new rows are appended",
        "full_merge": "the source is compared whole, rows that are new or differ are merged",
        "daily_snapshot": "a picture of the source a day, replaced within the day if it differs",
    }[table.mode]


def _silver(table: Silver) -> dict[str, str]:
    rules = table.expectations
    kept = {
        "rows": "every row of bronze that is new, once",
        "latest": f"the last state of each key, by {table.sequence_by}",
        "history": f"every version of each key, by {table.sequence_by}",
    }
    grain = _names(table.key) + (" and version" if table.keeps == "history" else "")
    counts = (f"{len(getattr(rules, kind))} {kind}" for kind in ("warn", "drop", "fail"))
    return {
        "grain": f"one row per {grain}",
        "key": _names(table.key),
        "feeds": f"bronze.{table.reads}",
        "refresh": kept[table.keeps],
        "rules": f"{', '.join(counts)}; broken rows are in {table.quarantine}",
    }


def _gold(table: Gold) -> dict[str, str]:
    references = (f"{_names(key.columns)} to {key.references}" for key in table.foreign_keys)
    facts = {
        "grain": table.grain,
        "key": _names(table.key) or "none",
        "refers": "; ".join(references),
        "feeds": _names(_feeds(table)),
        "refresh": _refresh(table),
    }
    return {name: text for name, text in facts.items() if text}


def _feeds(table: Gold) -> list[str]:
    listed = [f"{len(table.rows)} rows of its definition"] if table.rows else []
    return [*(feeds_of(table) if table.sql else []), *listed]


def _refresh(table: Gold) -> str:
    if table.type == "view":
        return "none, a view is always as its tables are"
    if table.filled_by:
        return f"by the scoring of the model {table.filled_by}"
    if table.refresh is None:
        return "the whole table, when one of its feeds has changed"
    feeds = table.refresh.feeds
    whole = [feed.table for feed in feeds if not (feed.touches or feed.versions)]
    text = f"each {table.refresh.by} that a change in its feeds touches"
    return text + (f"; all of them when {_names(whole)} has changed" if whole else "")


def _names(names: list[str]) -> str:
    return ", ".join(names)
