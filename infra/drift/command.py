"""`python -m infra drift --env ENV`, once the stacks are synthesized."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from infra.drift.checking import Checker, workspace_client
from infra.drift.known import Acceptance
from infra.drift.report import Reporter
from infra.drift.ways import Directions, read_declared
from infra.naming import Naming
from infra.paths import DEFINITIONS, ROOT
from infra.planning import Planner
from infra.review.assets import find_assets


def drift(
    planner: Planner,
    stacks: Sequence[str],
    acceptance: Acceptance,
    variables: Mapping[str, str],
    format_: str = "text",
) -> int:
    """Find and tell what changed outside; the exit code says how it ended."""
    environment = planner.environment
    assets = find_assets(DEFINITIONS, DEFINITIONS.relative_to(ROOT).as_posix())
    progress = Console(stderr=True, highlight=False, soft_wrap=True)
    host = variables[environment.workspace.host_variable]
    # Removed at its end: plans hold secrets.
    with tempfile.TemporaryDirectory() as scratch:
        checker = Checker(
            planner,
            assets,
            acceptance,
            Path(scratch),
            lambda text: progress.print(text, style="dim"),
        )
        report = checker.check(stacks, lambda: workspace_client(host))
    report.notes += assets.problems
    directions = Directions(Naming(environment), assets, read_declared(planner))
    reporter = Reporter(environment.name, directions)
    if format_ == "json":
        sys.stdout.write(reporter.as_json(report))
    else:
        reporter.show(report, Console(highlight=False, soft_wrap=True))
    return report.exit_code
