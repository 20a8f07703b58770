"""The commands that need an environment: `python -m infra synth|plan|deploy|destroy --env ENV`.

Exit codes are a contract: 0 nothing to do or done, 1 error, 2 a plan has changes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from health_monitor.spec import DefinitionErrors
from rich.console import Console

from infra import deploying
from infra.arguments import Parser
from infra.environment import Environment, EnvironmentErrors, available, load_environment
from infra.paths import OUTPUT, ROOT
from infra.planning import Planner, exit_code
from infra.preflight import PreflightError, check, find
from infra.reporting import show_plans
from infra.stack_order import ALL_STACKS
from infra.terraform import ERROR, Terraform, TerraformError, current_variables, terraform_variables
from infra.wheel import WheelError

EXPECTED = (EnvironmentErrors, DefinitionErrors, PreflightError, TerraformError, WheelError)
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; an error is one message on stderr and exit code 1."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    try:
        return _run(options, console)
    except EXPECTED as error:
        print(error, file=sys.stderr)
        return ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(options: argparse.Namespace, console: Console) -> int:
    environment = load_environment(options.env)
    stacks = options.stack or environment.stacks
    _refuse_absent(stacks, environment)
    os.environ.update(terraform_variables(current_variables()))
    variables = current_variables()
    find("node", variables)
    if options.command != "synth":
        check(environment, variables)
    # cdktf and node take seconds to load; what is wrong so far shows at once.
    from infra.main import synth

    synth(environment, str(OUTPUT))
    if options.command == "synth":
        names = ", ".join(environment.stacks)
        console.print(f"wrote {names} to {OUTPUT.relative_to(ROOT)}/stacks")
        return 0
    if options.command == "deploy":
        return deploying.deploy(environment, stacks, variables, ROOT, console.print)
    terraform = Terraform.found(variables)
    if options.command == "destroy":
        return deploying.destroy(environment, stacks, terraform, OUTPUT, console.print)
    planner = Planner(environment, terraform, OUTPUT)
    plans = planner.plan(stacks, lambda plan: console.print(f"planned {plan.stack}", style="dim"))
    show_plans(console, plans)
    return exit_code(plans)


def _refuse_absent(stacks: Sequence[str], environment: Environment) -> None:
    absent = [stack for stack in stacks if stack not in environment.stacks]
    if absent:
        raise PreflightError(
            f"environment {environment.name} has no stack {', '.join(absent)}; "
            f"it has: {', '.join(environment.stacks)}"
        )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m infra")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("synth", "write the Terraform configuration"),
        ("plan", "show what would change; exit code 0 nothing, 2 changes, 1 error"),
        ("deploy", "apply what changed"),
        ("destroy", "remove everything that was deployed"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        known = ", ".join(available())
        command.add_argument("--env", required=True, metavar="ENV", help=f"one of: {known}")
        command.add_argument(
            "--stack", action="append", choices=ALL_STACKS, help="only this stack (repeatable)"
        )
    commands.add_parser("review", help="say what a plan puts at risk; see review --help")
    return parser
