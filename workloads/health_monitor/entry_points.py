"""What the jobs call: one function a task, parameters as ``--key value``."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from health_monitor.runtime import session
from health_monitor.spec import Definitions, load_definitions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from health_monitor.operations.checks import Outcome
    from health_monitor.spec import Gold


def _arguments(*names: str, optional: tuple[str, ...] = ()) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("catalog", "definitions", *names):
        parser.add_argument(f"--{name}", required=True)
    for name in optional:
        parser.add_argument(f"--{name}", default=None)
    return parser.parse_args()


def _definitions(arguments: argparse.Namespace) -> Definitions:
    return load_definitions(arguments.definitions, references=False)


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


def silver_results() -> None:
    """Keep what the silver pipeline's rules found in its last updates."""
    from health_monitor.silver.results import Results, events_since

    arguments = _arguments("pipeline")
    results = Results(session(), arguments.catalog, _definitions(arguments).silver.values())
    results.write(events_since(arguments.pipeline, results.last_seen()))


def quarantine_replay() -> None:
    """Send rows back to silver that were set aside by rules which have been repaired since."""
    from health_monitor.silver.replay import Replay

    arguments = _arguments()
    replay = Replay(session(), arguments.catalog, datetime.now(UTC))
    replayed = replay.replay_all(_definitions(arguments).silver.values())
    print(f"quarantine: {sum(replayed.values())} rows of {len(replayed)} tables go back")


def gold_setup() -> None:
    """Create or complete all gold tables and views."""
    from health_monitor.gold.engine import setup

    arguments = _arguments(optional=("currency",))
    setup(session(), _definitions(arguments).gold, arguments.catalog)


def gold_refresh() -> None:
    """Bring gold up to date, all or one domain with what it reads; compare it with the source."""
    from health_monitor.gold.engine import GoldRefresh
    from health_monitor.operations.reconciliation import compares, days_that_differ, reconcile

    arguments = _arguments("currency", optional=("domain",))
    chosen = _chosen_gold(_definitions(arguments), arguments.domain)
    spark = session()
    refresh = GoldRefresh(spark, arguments.catalog, arguments.currency)
    computed = refresh.refresh_all(chosen)
    if not compares(definition.table for definition in chosen.values()):
        print("reconciliation: left to a refresh of all that it compares")
        return
    if computed:
        reconcile(spark, arguments.catalog)
    wrong = days_that_differ(spark, arguments.catalog)
    if wrong:
        raise SystemExit(f"{wrong} days do not agree with the source: see platform.reconciliation")


def _chosen_gold(definitions: Definitions, domain: str | None) -> dict[str, Gold]:
    from health_monitor.gold.order import of_domain

    if domain is None:
        return definitions.gold
    # A domain of bronze may have no gold yet.
    known = {*definitions.items("domain"), *(d.domain for d in definitions.gold.values())}
    if domain not in known:
        there_are = ", ".join(sorted(known))
        raise SystemExit(f"gold_refresh: no domain {domain!r}; there are: {there_are}")
    return of_domain(definitions.gold, domain)


def semantic_deploy() -> None:
    """Create or replace functions and metric views."""
    from health_monitor.semantic.deploy import deploy

    arguments = _arguments()
    deploy(session(), _definitions(arguments), arguments.catalog)


def governance_deploy() -> None:
    """Set tags, grants and policies as definitions want them; groups by role, as JSON."""
    from health_monitor.governance.deploy import deploy

    arguments = _arguments("groups", "owner")
    groups = json.loads(arguments.groups)
    definitions = _definitions(arguments)
    deploy(session(), definitions, arguments.catalog, groups, arguments.owner)


def train_model() -> None:
    """Train one model, make the version champion, and serve it if it has an endpoint."""
    from health_monitor.ml.train import train

    arguments = _arguments("model", "experiment", optional=("endpoint",))
    definition = _definitions(arguments).models[arguments.model]
    train(session(), definition, arguments.catalog, arguments.experiment, arguments.endpoint)


def score_model() -> None:
    """Score gold with the champion of one model."""
    from health_monitor.ml.score import score

    arguments = _arguments("model")
    definitions = _definitions(arguments)
    definition = definitions.models[arguments.model]
    target = definitions.gold[definition.scores.removeprefix("gold.")]
    score(session(), definition, target, arguments.catalog)


def refresh_monitors() -> None:
    """Bring the metric tables of all monitors on gold up to date."""
    from health_monitor.operations.monitors import refresh

    arguments = _arguments()
    tables = [definition.table for definition in _definitions(arguments).gold.values()]
    refresh(tables, arguments.catalog)


def runbook_checks() -> None:
    """Ask the checks of one runbook; fail where something is wrong."""
    from health_monitor.operations.checks import ask_all

    arguments = _arguments("runbook", "principals", "admins", "job-prefix")
    checks = [c for c in _definitions(arguments).checks.values() if c.domain == arguments.runbook]
    if not checks:
        raise SystemExit(f"no check belongs to the runbook {arguments.runbook!r}")
    values = {name: getattr(arguments, name) for name in ("principals", "admins", "job_prefix")}
    spark = session()
    _conclude(spark, arguments, ask_all(spark, checks, arguments.catalog, values))


def recovery_drill() -> None:
    """Restore an earlier version of a gold table beside it; fail where it is not the same."""
    from health_monitor.operations.recovery_drill import drill

    arguments = _arguments("runbook", "table")
    spark = session()
    _conclude(spark, arguments, [drill(spark, arguments.table, arguments.catalog).outcome])


def _conclude(spark: SparkSession, arguments: argparse.Namespace, outcomes: list[Outcome]) -> None:
    """Keep and say what a runbook found; end with an error where something is wrong."""
    from health_monitor.operations.checks import record, report, verdict

    record(spark, arguments.catalog, arguments.runbook, outcomes, datetime.now(UTC))
    print(report(outcomes))
    wrong = verdict(arguments.runbook, outcomes)
    if wrong:
        raise SystemExit(wrong)
