"""The report at the end of `make local`: fits a screen, says what was found and what was not."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from tools.estimates import EstimateError
from tools.figures import Detection, LayerRows, Reconciliation


@dataclass
class Report:
    """Everything that the report shows; a part that could not be had stays None."""

    host: str
    token: str
    provider: str
    source: str
    resources: dict[str, int] = field(default_factory=dict)
    layers: list[LayerRows] = field(default_factory=list)
    not_assessed: list[str] = field(default_factory=list)
    reconciliation: Reconciliation | None = None
    currency: str = "USD"
    detection: Detection | None = None
    estimates: list[EstimateError] = field(default_factory=list)
    alerts: list[tuple[str, str, str]] = field(default_factory=list)
    dashboards: list[tuple[str, int, int]] = field(default_factory=list)
    latency: tuple[float, float] | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    run_seconds: float = 0.0
    setup_seconds: float | None = None


def show(report: Report, console: Console) -> None:
    """Print the report."""
    table = Table(title="Databricks Health Monitor, local", show_header=False, min_width=76)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in _lines(report):
        table.add_row(label, text)
    console.print(table)
    console.print("Workspace page, until `make stop` ends it:", soft_wrap=True)
    console.print(f"  {report.host}/login?token={report.token}", highlight=False, soft_wrap=True)
    console.print("`make local` again brings in the next day; .local/workspace.env is for clients.")


def _lines(report: Report) -> list[tuple[str, str]]:
    stacks = ", ".join(f"{name} {count}" for name, count in report.resources.items())
    total = sum(report.resources.values())
    lines = [
        ("Source", report.source),
        ("Terraform", f"{report.provider} provider; {total} resources: {stacks}"),
        ("Rows", "; ".join(f"{r.layer} {r.rows:,} in {r.tables}" for r in report.layers)),
    ]
    if report.not_assessed:
        lines.append(("Not assessed", ", ".join(report.not_assessed)))
    if report.reconciliation:
        lines += _cost_lines(report.reconciliation, report.currency)
    if report.detection:
        lines += _detection_lines(report.detection)
    lines += _estimate_lines(report.estimates)
    lines += [("Alert", f"{name}: {state}  {note}") for name, state, note in report.alerts]
    for name, widgets, errors in report.dashboards:
        lines.append(("Dashboard", f"{name}: {widgets} widgets drawn, {errors} with an error"))
    if report.latency:
        p50, p95 = report.latency
        lines.append(("Serving", f"one row: median {p50:.1f} ms, p95 {p95:.1f} ms"))
    setup = f"{report.setup_seconds:.0f} s" if report.setup_seconds is not None else "unknown"
    slowest = sorted(report.seconds.items(), key=lambda item: -item[1])[:3]
    where = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in slowest)
    lines.append(("Time", f"set-up {setup}; run {report.run_seconds:.0f} s ({where})"))
    return lines


def _cost_lines(found: Reconciliation, currency: str) -> list[tuple[str, str]]:
    span = f"{found.first_day} to {found.last_day}"
    verdict = (
        f"reconciles with the source files: {found.groups:,} of {found.groups:,} "
        "day x workspace x SKU groups agree to the cent"
        if found.holds
        else f"[red]DOES NOT RECONCILE[/red]: {found.differing_groups:,} of {found.groups:,} "
        f"groups differ; the source files say {found.source_cost:,.2f} {currency}"
    )
    return [
        ("Cost, 30 days", f"{found.platform_cost:,.2f} {currency}, {span}"),
        ("", verdict),
        ("", f"{found.unpriced_records:,} unpriced records are counted, not priced"),
    ]


def _percent(value: Decimal | float | None, form: str = ".0%") -> str:
    return "undefined" if value is None else format(value, form)


def _estimate_lines(found: list[EstimateError]) -> list[tuple[str, str]]:
    return [
        (
            "Against truth" if position == 0 else "",
            f"{e.name}, {e.method}: {e.count:,}, {e.true_total:,.2f} USD; total "
            f"{_percent(e.bias, '+.1%')}, each off by {_percent(e.spread, '.1%')}",
        )
        for position, e in enumerate(found)
    ]


def _detection_lines(found: Detection) -> list[tuple[str, str]]:
    lines = [
        (
            "Cost spikes",
            f"{found.found} of {found.incidents} simulated incidents found; recall "
            f"{_percent(found.recall)}, precision {_percent(found.precision)} "
            f"({found.flagged_rightly} of {found.flagged} flagged workspace-SKU-days)",
        )
    ]
    for verdict, is_found in (("found", True), ("missed", False)):
        named = [f"{kind} {span}" for kind, _, span, hit in found.by_incident if hit is is_found]
        if named:
            lines.append(("", f"{verdict}: {'; '.join(named)}"))
    return lines
