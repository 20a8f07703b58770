"""`python -m infra review plan.json`.

Exit codes are a contract: 0 nothing to do, 1 error, 2 changes, 3 drift only, 5 above the ceiling.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.arguments import Parser
from infra.paths import DEFINITIONS, ROOT
from infra.review.assets import find_assets
from infra.review.assumptions import DEFAULT
from infra.review.documents import as_json, as_sarif
from infra.review.markdown import as_markdown
from infra.review.plan_file import PlanError, read_plan
from infra.review.reviewing import Inputs, Review, review
from infra.review.risk import CEILINGS, Risk

NOTHING, ERROR, CHANGES, DRIFT_ONLY, ABOVE_CEILING = 0, 1, 2, 3, 5
FORMATS = ("markdown", "json", "sarif")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and review; an error is one message on stderr and exit code 1."""
    options = parser().parse_args(arguments)
    if options.env and not options.ceiling:
        # Loads what a review without it starts faster for.
        from infra.environment import EnvironmentErrors, load_environment

        try:
            options.ceiling = load_environment(options.env).risk_ceiling
        except EnvironmentErrors as error:
            print(error, file=sys.stderr)
            return ERROR
    # Nothing that a review makes is garbage before its end: looking for it takes a third longer.
    collects = gc.isenabled()
    gc.disable()
    try:
        made = review_file(options)
        text = _rendered(made, options)
    except PlanError as error:
        print(error, file=sys.stderr)
        return ERROR
    finally:
        if collects:
            gc.enable()
    if options.output is None:
        sys.stdout.write(text)
    else:
        try:
            options.output.write_text(text, encoding="utf-8")
        except OSError as error:
            print(f"{options.output}: cannot be written: {error.strerror}", file=sys.stderr)
            return ERROR
    code, words = verdict(made, options.ceiling, options.approved)
    for line in words:
        print(line, file=sys.stderr)
    return code


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser(
        prog="python -m infra review", description="Say what a Terraform plan puts at risk."
    )
    command.add_argument("plan", type=Path, help="what `terraform show -json <plan file>` wrote")
    command.add_argument("--format", choices=FORMATS, default="markdown")
    command.add_argument("--output", type=Path, metavar="FILE", help="write it there")
    command.add_argument(
        "--ceiling",
        choices=[risk.word for risk in CEILINGS],
        help="the highest risk that needs no approval; above it the exit code is 5",
    )
    command.add_argument(
        "--env", metavar="ENV", help="take the ceiling of this environment (its risk_ceiling)"
    )
    command.add_argument(
        "--approved",
        metavar="HASH",
        action="append",
        default=[],
        help="the hash of a plan that was approved: it may be above the ceiling (repeatable)",
    )
    command.add_argument(
        "--definitions",
        type=Path,
        metavar="FOLDER",
        default=DEFINITIONS,
        help="the definitions that the resources were made from",
    )
    command.add_argument(
        "--configuration",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="the synthesized cdk.tf.json of this plan (repeatable)",
    )
    command.add_argument(
        "--previous-configuration",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="the same from before the change; finds prevent_destroy that was removed",
    )
    command.add_argument(
        "--assumptions", type=Path, default=DEFAULT, metavar="FILE", help="prices and usage"
    )
    return command


def review_file(options: argparse.Namespace) -> Review:
    """The review that these options ask for."""
    if bool(options.configuration) != bool(options.previous_configuration):
        raise PlanError("--configuration and --previous-configuration are needed together")
    plan = read_plan(options.plan)
    inputs = Inputs(
        assets=find_assets(options.definitions, _shown(options.definitions)),
        configurations=options.configuration,
        previous_configurations=options.previous_configuration,
        assumptions=options.assumptions,
    )
    return review(plan, inputs)


def _shown(folder: Path) -> str:
    """The folder as it stands in the repository."""
    resolved = folder.resolve()
    return (resolved.relative_to(ROOT) if resolved.is_relative_to(ROOT) else folder).as_posix()


def _rendered(made: Review, options: argparse.Namespace) -> str:
    if options.format == "json":
        return as_json(made)
    if options.format == "sarif":
        return as_sarif(made, _shown(options.plan))
    return as_markdown(made)


def verdict(
    made: Review, ceiling: str | None = None, approved: Sequence[str] = ()
) -> tuple[int, list[str]]:
    """The exit code, and what has to be said about it."""
    if made.errored:
        return ERROR, ["the plan ended with an error: it cannot be applied"]
    too_high = ceiling is not None and made.risk > Risk[ceiling.upper()]
    if too_high and made.hash not in approved:
        words = [f"risk {made.risk.word} is above the ceiling {ceiling}"]
        if approved:
            words.append(f"the plan is not one that was approved: it is {made.hash}")
        return ABOVE_CEILING, words
    if made.changes or made.outputs:
        return CHANGES, []
    return (DRIFT_ONLY, []) if made.drift else (NOTHING, [])
