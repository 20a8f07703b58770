"""What needs an environment: `python -m infra synth|policy|plan|deploy|drift|destroy --env ENV`.

Exit codes are a contract: 0 nothing to do or done, 1 error, 2 the code wants changes, 3 drift and
nothing else, 4 the policy denies what was synthesized.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from health_monitor.spec import DefinitionErrors
from rich.console import Console

from infra import deploying
from infra.arguments import Parser
from infra.drift.known import known_today
from infra.environment import Environment, EnvironmentErrors, available, load_environment
from infra.main import synth
from infra.paths import OUTPUT, ROOT
from infra.planning import Planner, exit_code
from infra.policy.checking import POLICY_DENIED, check_output
from infra.preflight import PreflightError, check, find
from infra.reporting import show_plans, show_verdict
from infra.review.plan_file import PlanError
from infra.stack_order import ALL_STACKS
from infra.terraform import ERROR, Terraform, TerraformError, current_variables, terraform_variables
from infra.wheel import WheelError

if TYPE_CHECKING:
    from infra.recovery import Recovery

EXPECTED = (
    EnvironmentErrors,
    DefinitionErrors,
    PlanError,
    PreflightError,
    TerraformError,
    WheelError,
)
INTERRUPTED = 130
# What needs neither a workspace nor a state.
OFFLINE = ("synth", "policy")


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
    if options.command not in OFFLINE:
        check(environment, variables)
    if options.command == "drift":
        # Its mistakes show before anything takes time.
        known_drift = known_today(environment.name)
    synth(environment, str(OUTPUT))
    if options.command == "synth":
        names = ", ".join(environment.stacks)
        console.print(f"wrote {names} to {OUTPUT.relative_to(ROOT)}/stacks")
    if options.command == "destroy":
        # Nothing may keep somebody from taking away what breaks a rule.
        recovery = _recovery(environment, console, strict=False)
        recovery.adopt(stacks)
        terraform = recovery.planner.terraform
        return deploying.destroy(environment, stacks, terraform, OUTPUT, console.print)
    if options.command == "drift":
        # Nothing may keep somebody from seeing what changed outside either.
        from infra.drift.command import drift

        planner = Planner(environment, Terraform.found(variables), OUTPUT)
        return drift(planner, stacks, known_drift, variables, options.format)
    if not _is_allowed(options, environment, console):
        return POLICY_DENIED
    if options.command in OFFLINE:
        return 0
    return _plan_or_deploy(options, environment, stacks, console)


def _plan_or_deploy(
    options: argparse.Namespace, environment: Environment, stacks: Sequence[str], console: Console
) -> int:
    """Either, after a look for what an earlier deploy made and could not note."""
    recovery = _recovery(environment, console, strict=options.command == "deploy")
    with recovery.imports(stacks) as ready:
        if options.command == "deploy":
            return deploying.deploy(environment, stacks, current_variables(), ROOT, console.print)
        plans = replace(ready, save=options.save).plan(
            stacks, lambda plan: console.print(f"planned {plan.stack}", style="dim")
        )
    show_plans(console, plans)
    return exit_code(plans)


def _recovery(environment: Environment, console: Console, *, strict: bool) -> Recovery:
    from infra.drift.checking import workspace_client
    from infra.recovery import Recovery

    variables = current_variables()
    return Recovery(
        Planner(environment, Terraform.found(variables), OUTPUT),
        connect=lambda: workspace_client(variables[environment.workspace.host_variable]),
        tell=console.print,
        strict=strict,
    )


def _is_allowed(options: argparse.Namespace, environment: Environment, console: Console) -> bool:
    """Whether the policy allows what was synthesized; says what it does not."""
    verdict = check_output(environment, OUTPUT)
    if verdict.violations or options.command == "policy":
        show_verdict(console, environment.name, verdict)
    return not verdict.violations


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
        ("policy", "check the configuration against the rules; exit code 4 when it breaks one"),
        ("plan", "show what would change; exit code 0 nothing, 2 changes, 1 error, 4 denied"),
        ("deploy", "apply what changed"),
        (
            "drift",
            "show what changed outside; exit code 0 nothing, 3 drift, 2 code, 1 error",
        ),
        ("destroy", "remove everything that was deployed"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        known = ", ".join(available())
        command.add_argument("--env", required=True, metavar="ENV", help=f"one of: {known}")
        command.add_argument(
            "--stack", action="append", choices=ALL_STACKS, help="only this stack (repeatable)"
        )
        if name == "plan":
            text = "keep each plan here as STACK.json (it holds secrets), for a review"
            command.add_argument("--save", type=Path, metavar="FOLDER", help=text)
        if name == "drift":
            command.add_argument("--format", choices=("text", "json"), default="text")
    commands.add_parser("review", help="say what a plan puts at risk; see review --help")
    return parser
