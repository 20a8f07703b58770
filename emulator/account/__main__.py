"""Command line: ``python -m emulator.account simulate`` and ``next-day``."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from emulator.account.plan import Parameters
from emulator.account.simulate import AccountError, next_day, simulate


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it did what was asked."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "simulate":
            parameters = _simulate(options)
        else:
            parameters = next_day(options.out)
    except (AccountError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {parameters.days} days, {parameters.first_day} to {parameters.last_day}")
    return 0


def _simulate(options: argparse.Namespace) -> Parameters:
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("simulating days", total=options.days)
        return simulate(
            options.out,
            days=options.days,
            seed=options.seed,
            workspaces=options.workspaces,
            usage_rows=options.usage_rows,
            end=options.end,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulator.account", description="A simulated Databricks account."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("simulate", help="write a new account as Parquet files")
    new.add_argument("--out", type=Path, required=True, help="a new or empty folder")
    new.add_argument("--days", type=int, default=60)
    new.add_argument("--seed", type=int, default=7)
    new.add_argument("--workspaces", type=int, default=3)
    new.add_argument("--usage-rows", type=int, default=300_000, help="about as many, over all days")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    new.add_argument(
        "--end", type=date.fromisoformat, default=yesterday, help="last day (yesterday, UTC)"
    )
    more = commands.add_parser("next-day", help="add one day to an account")
    more.add_argument("--out", type=Path, required=True, help="the folder of the account")
    return parser


if __name__ == "__main__":
    sys.exit(main())
