"""What people run here: `python -m tools --help`."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from tools.console import DriverError, Steps

INTERRUPTED = 130
KINDS = (
    "bronze, silver, gold, functions, metric_views, models, monitors, alerts, dashboards, "
    "policies, grants, checks, jobs"
)


def main() -> int:
    """Run one command; 0 done, 1 a clear error, 130 interrupted."""
    arguments = _parser().parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    steps = Steps()
    try:
        return int(arguments.action(arguments, steps))
    except DriverError as error:
        steps.fail(error)
        return 1
    except KeyboardInterrupt:
        steps.fail(DriverError("Interrupted; every process is stopped", todo="run it again"))
        return INTERRUPTED


def _interrupt(*_: object) -> None:
    """A polite kill ends as Ctrl-C does: with every process stopped."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    local = commands.add_parser("local", help="deploy and run the platform on this machine")
    local.add_argument("--system-tables", type=Path, help="folder of <schema>.<table>/*.parquet")
    local.add_argument("--days", type=int, help="days to simulate (default 60)")
    local.add_argument("--workspaces", type=int, help="workspaces to simulate (default 3)")
    local.add_argument("--usage-rows", type=int, help="usage rows to simulate, about")
    local.add_argument("--seed", type=int, help="another seed, another account")
    local.set_defaults(action=_local)
    stop = commands.add_parser("stop", help="stop the workspace that is left running")
    stop.set_defaults(action=_stop)
    browser = commands.add_parser("browser", help="make sure that Chromium is there for tests")
    browser.set_defaults(action=_browser)
    tests = commands.add_parser("test", help="all tests")
    tests.add_argument("--pytest", default="", help="arguments for pytest, as one text")
    tests.set_defaults(action=_test)
    definitions = commands.add_parser("definitions", help="check all definitions, offline")
    definitions.set_defaults(action=_definitions)
    new = commands.add_parser("new", help="write a first version of a definition")
    new.add_argument("kind", help=f"one of: {KINDS}")
    new.add_argument("name", help="domain/name, as in cost/idle_warehouse")
    new.add_argument("--reads", metavar="TABLE", help="what it reads, as in gold.fact_usage")
    new.set_defaults(action=_new)
    docs = commands.add_parser("docs", help="write the pages that definitions make")
    docs.add_argument(
        "--check", action="store_true", help="write nothing, fail if one is not current"
    )
    docs.set_defaults(action=_docs)
    _add_bench(commands)
    infra = commands.add_parser("infra", help="plan, deploy or destroy, with local's variables set")
    infra.add_argument("rest", nargs=argparse.REMAINDER)
    infra.set_defaults(action=_infra)
    return parser


def _add_bench(commands: Any) -> None:
    bench = commands.add_parser("bench", help="measure how fast and how large, as ratios")
    bench.add_argument("--usage-rows", type=int, help="of the long history (default 60,000)")
    bench.add_argument("--days", type=int, help="of the long history (default 120)")
    bench.add_argument("--memory-rows", type=int, help="usage rows of figure 4 (default 60,000)")
    bench.add_argument("--repeat", type=int, help="days brought in on each history (default 1)")
    bench.add_argument("--figures", type=int, nargs="+", choices=range(1, 8), help="only these")
    bench.add_argument("--json", type=Path, help="write the figures to this file too")
    bench.set_defaults(action=_bench)


def _local(arguments: argparse.Namespace, steps: Steps) -> int:
    from tools.local import Options, run

    chosen = []
    for name in ("days", "workspaces", "usage_rows", "seed"):
        value = getattr(arguments, name)
        if value is not None:
            chosen += [f"--{name.replace('_', '-')}", str(value)]
    run(Options(arguments.system_tables, chosen), steps)
    return 0


def _stop(_: argparse.Namespace, steps: Steps) -> int:
    from tools.services import stop_all

    stopped = stop_all()
    steps.console.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing runs")
    return 0


def _browser(_: argparse.Namespace, steps: Steps) -> int:
    from tools.browser import ensure

    ensure(steps)
    return 0


def _test(arguments: argparse.Namespace, steps: Steps) -> int:
    from tools.testing import run

    return run(steps.console, shlex.split(arguments.pytest))


def _definitions(_: argparse.Namespace, steps: Steps) -> int:
    from health_monitor.spec import DefinitionErrors, load_definitions

    from tools.paths import ROOT

    try:
        load_definitions(ROOT / "workloads" / "definitions")
    except DefinitionErrors as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return 1
    steps.console.print("definitions: no problem found")
    return 0


def _new(arguments: argparse.Namespace, steps: Steps) -> int:
    from tools.scaffold import new

    for path in new(arguments.kind, arguments.name, arguments.reads):
        steps.console.print(f"wrote {path}", highlight=False)
    return 0


def _docs(arguments: argparse.Namespace, steps: Steps) -> int:
    from tools import generated_docs

    if arguments.check:
        found = generated_docs.stale()
        for line in found:
            print(line, file=sys.stderr)
        if not found:
            steps.console.print("docs: current")
        return 1 if found else 0
    for path in generated_docs.write():
        steps.console.print(f"wrote {path}", highlight=False)
    return 0


def _bench(arguments: argparse.Namespace, steps: Steps) -> int:
    from tools.bench import Sizes, run

    names = ("usage_rows", "days", "memory_rows", "repeat", "figures")
    given = {n: value for n in names if (value := getattr(arguments, n)) is not None}
    run(Sizes(**given), arguments.json, steps)
    return 0


def _infra(arguments: argparse.Namespace, steps: Steps) -> int:
    from tools.deploying import run_in_environment

    return run_in_environment(arguments.rest, steps.console.print)


if __name__ == "__main__":
    sys.exit(main())
