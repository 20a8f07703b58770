"""What people run here: `python -m tools --help`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tools.console import DriverError, Steps

INTERRUPTED = 130


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
    definitions = commands.add_parser("definitions", help="check all definitions, offline")
    definitions.set_defaults(action=_definitions)
    infra = commands.add_parser("infra", help="plan, deploy or destroy, with local's variables set")
    infra.add_argument("rest", nargs=argparse.REMAINDER)
    infra.set_defaults(action=_infra)
    return parser


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


def _infra(arguments: argparse.Namespace, steps: Steps) -> int:
    from tools.deploying import run_in_environment

    return run_in_environment(arguments.rest, steps.console.print)


if __name__ == "__main__":
    sys.exit(main())
