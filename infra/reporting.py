"""Plans as a short text for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from infra.planning import Outcome, StackPlan
from infra.policy.checking import Verdict

SYMBOLS = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "replace": ("±", "magenta"),
    "delete": ("-", "red"),
    "remove": ("-", "red"),
    "move": (">", "cyan"),
    "import": ("<", "cyan"),
}
COUNTED = ("create", "update", "replace", "delete", "import")
SHOWN_PER_STACK = 40


def show_plans(console: Console, plans: Sequence[StackPlan]) -> None:
    """One line a stack, then what changes in each."""
    table = Table(box=None, pad_edge=False)
    for column in ("stack", "outcome", *COUNTED):
        table.add_column(column, justify="left" if column in ("stack", "outcome") else "right")
    for plan in plans:
        numbers = [plan.counts[action] for action in COUNTED]
        table.add_row(plan.stack, _outcome(plan), *(str(number or "") for number in numbers))
    console.print(table)
    for plan in plans:
        _show_details(console, plan)


def _outcome(plan: StackPlan) -> str:
    if plan.outcome is Outcome.WAITING:
        return f"waits for {', '.join(plan.waits_for)}"
    return str(plan.outcome.value)


def _show_details(console: Console, plan: StackPlan) -> None:
    if plan.outcome is Outcome.UNCHANGED:
        return
    console.print(f"\n{plan.stack}", style="bold")
    for change in plan.changes[:SHOWN_PER_STACK]:
        symbol, style = SYMBOLS.get(change.action, ("?", "yellow"))
        console.print(f"  {symbol} {change.address}", style=style, markup=False)
    if len(plan.changes) > SHOWN_PER_STACK:
        console.print(f"  and {len(plan.changes) - SHOWN_PER_STACK} more")
    for change in plan.drift:
        console.print(f"  ! changed outside: {change.address}", style="yellow", markup=False)
    for error in plan.errors:
        console.print(f"  error: {error}", style="red", markup=False)


def show_verdict(console: Console, environment: str, verdict: Verdict) -> None:
    """What breaks a rule, a line each, and which exemptions hold."""
    for violation in verdict.violations:
        console.print(str(violation), style="red", markup=False)
    for violation, exemption in verdict.exempted:
        until = f"exempt until {exemption.expires}: {exemption.reason}"
        console.print(f"{violation}: {until}", style="yellow", markup=False)
    found = len(verdict.violations)
    said = f"denied: {found} violation{'s' if found != 1 else ''}" if found else "allowed"
    console.print(f"policy of {environment}: {verdict.rules} rules, {said}")
