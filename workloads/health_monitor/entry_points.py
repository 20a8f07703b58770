"""What the jobs call: one function a task, parameters as ``--key value``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from health_monitor.runtime import session
from health_monitor.spec import Definitions, load_definitions


def _arguments(*names: str, optional: tuple[str, ...] = ()) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("catalog", "definitions", *names):
        parser.add_argument(f"--{name}", required=True)
    for name in optional:
        parser.add_argument(f"--{name}", default=None)
    return parser.parse_args()


def _definitions(arguments: argparse.Namespace) -> Definitions:
    return load_definitions(arguments.definitions)


def bronze_setup() -> None:
    """Create or complete all bronze tables."""
    from health_monitor.bronze.shape import bronze_shape
    from health_monitor.tables import ensure_platform_tables, ensure_tables

    arguments = _arguments(optional=("system-catalog",))
    spark = session()
    shapes = [bronze_shape(definition) for definition in _definitions(arguments).bronze.values()]
    ensure_platform_tables(spark, arguments.catalog)
    touched = ensure_tables(spark, shapes, arguments.catalog)
    print(f"bronze: {len(shapes)} tables, {len(touched)} created or altered")


def bronze_ingest() -> None:
    """Bring the bronze tables of one domain up to date."""
    from health_monitor.bronze.engine import Ingestor

    arguments = _arguments("system-catalog", "domain")
    chosen = [d for d in _definitions(arguments).bronze.values() if d.domain == arguments.domain]
    if not chosen:
        raise SystemExit(f"no bronze table belongs to the domain {arguments.domain!r}")
    ingestor = Ingestor(session(), arguments.catalog, arguments.system_catalog, datetime.now(UTC))
    ingestor.ingest_all(chosen)


def gold_setup() -> None:
    """Create or complete all gold tables and views."""
    from health_monitor.gold.engine import setup

    arguments = _arguments(optional=("currency",))
    setup(session(), _definitions(arguments).gold, arguments.catalog)


def gold_refresh() -> None:
    """Bring all gold tables up to date, and compare them with the source."""
    from health_monitor.gold.engine import GoldRefresh
    from health_monitor.operations.reconciliation import reconcile

    arguments = _arguments("currency")
    spark = session()
    refresh = GoldRefresh(spark, arguments.catalog, arguments.currency)
    refresh.refresh_all(_definitions(arguments).gold)
    wrong = reconcile(spark, arguments.catalog)
    if wrong:
        raise SystemExit(f"{wrong} days do not agree with the source: see platform.reconciliation")
