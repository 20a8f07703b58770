"""The report of drift: text for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from infra.drift.audit import DAYS, Event, Thing, thing_of
from infra.drift.checking import Report, thing_of_found
from infra.drift.findings import Finding, groups
from infra.drift.known import CONTENT
from infra.drift.unmanaged import Found
from infra.drift.ways import Directions, command_words, removal
from infra.planning import Outcome
from infra.review.changes import Action
from infra.review.documents import change_document
from infra.review.text_diff import diff_lines

WORDS = {Action.DELETE: "deleted", Action.UPDATE: "changed", Action.MOVE: "moved"}
MOST_LINES = 40
MOST_NAMES = 20
MOST_WAYS = 8


@dataclass(frozen=True)
class Reporter:
    """Writes the report of one environment."""

    environment: str
    directions: Directions

    def show(self, report: Report, console: Console) -> None:
        """Findings by stack, then what is in no state, then what is accepted, then the verdict."""

        def say(text: str, style: str | None = None) -> None:
            console.print(text, style=style, markup=False)

        for stack, drift in report.stacks.items():
            if drift.findings:
                say(f"\n{stack}", "bold")
            for group in groups(drift.findings):
                for text, style in self._group(report, group):
                    say(text, style)
            if drift.left_alone:
                say(f"  {_left_alone(drift.left_alone)}", "dim")
        for text, style in self._objects(report):
            say(text, style)
        for text in _remarks(report):
            say(text, "yellow")
        for error in report.errors:
            say(f"error: {error}", "red")
        say(f"drift of {self.environment}: {verdict(report)}")

    def _group(self, report: Report, group: Sequence[Finding]) -> Iterator[tuple[str, str | None]]:
        first = group[0]
        change = first.change
        word = WORDS.get(change.action, change.action.value)
        count = f"{len(group)} resources alike, " if len(group) > 1 else ""
        yield f"  ! {word} outside ({count}risk {first.item.risk.word})", "yellow"
        for finding in group[:MOST_NAMES]:
            yield f"      {finding.change.address}", "yellow"
            yield (
                f"        {_who(report, thing_of(finding.change.type, finding.change.values))}",
                None,
            )
        if len(group) > MOST_NAMES:
            yield f"      and {len(group) - MOST_NAMES} more", "yellow"
        lines = diff_lines(change.differences)
        if first.paths == [CONTENT]:
            lines = [f"# {CONTENT}: only its checksum is known"]
        for line in lines[:MOST_LINES]:
            yield f"        {line}", None
        if len(lines) > MOST_LINES:
            yield f"        # {len(lines) - MOST_LINES} more lines are not shown", None
        if first.expired:
            yield f"      {_expired(first.expired.line, str(first.expired.expires))}", "red"
        yield from ((line, None) for line in self._ways(group))

    def _ways(self, group: Sequence[Finding]) -> Iterator[str]:
        ways = [self.directions.ways_out(finding) for finding in group]
        adopt = list(dict.fromkeys(line for way in ways for line in way.adopt))
        for line in adopt[:MOST_WAYS]:
            yield f"      adopt:  {line}"
        if len(adopt) > MOST_WAYS:
            yield f"      adopt:  and {len(adopt) - MOST_WAYS} more (all of them: --format json)"
        yield from _indented("revert: ", ways[0].revert)

    def _objects(self, report: Report) -> Iterator[tuple[str, str | None]]:
        if report.unmanaged:
            yield "\nin no state", "bold"
        for item in report.unmanaged:
            yield f"  ! {item.address}", "yellow"
            yield f"        {_who(report, thing_of_found(item))}", None
            if item.address in report.expired_objects:
                entry = report.expired_objects[item.address]
                yield f"      {_expired(entry.line, str(entry.expires))}", "red"
            declare = "\n".join(self.directions.declare(item))
            yield from ((line, None) for line in _indented("adopt:  ", declare))
            yield f"      revert: {removal(item)}", None

    def as_json(self, report: Report) -> str:
        """The same for programs; drift has the shape of a review's."""
        document = {
            "environment": self.environment,
            "exit_code": report.exit_code,
            "drift": [
                self._finding(report, finding)
                for drift in report.stacks.values()
                for finding in drift.findings
            ],
            "unmanaged": [self._object(report, item) for item in report.unmanaged],
            "accepted": [
                {
                    "address": item.address,
                    "path": item.path,
                    "reason": item.entry.reason,
                    "owner": item.entry.owner,
                    "expires": str(item.entry.expires),
                }
                for item in report.accepted
            ],
            "left_alone": [
                {"stack": stack, "address": address, "path": path}
                for stack, drift in report.stacks.items()
                for address, path in drift.left_alone
            ],
            "code_changes": {
                plan.stack: len(plan.changes)
                for plan in report.wanted
                if plan.outcome in (Outcome.CHANGED, Outcome.WAITING)
            },
            "notes": list(_remarks(report)),
            "errors": report.errors,
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    def _finding(self, report: Report, finding: Finding) -> dict[str, Any]:
        change = finding.change
        ways = self.directions.ways_out(finding)
        return {
            "stack": finding.stack,
            **change_document(finding.item),
            "paths": finding.paths,
            "who": _event(report.log.last(thing_of(change.type, change.values))),
            "adopt": ways.adopt,
            "revert": ways.revert,
        }

    def _object(self, report: Report, item: Found) -> dict[str, Any]:
        return {
            "address": item.address,
            "type": item.type,
            "id": item.id,
            "who": _event(report.log.last(thing_of_found(item))),
            "adopt": self.directions.declare(item),
            "revert": removal(item),
        }


def _indented(head: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines()):
        yield f"      {head if number == 0 else ' ' * len(head)}{line}"


def verdict(report: Report) -> str:
    """One line: what the exit code stands for."""
    changed = [plan for plan in report.wanted if plan.outcome is not Outcome.UNCHANGED]
    parts = [f"{report.findings_count} changed outside" if report.findings_count else "none"]
    if report.accepted:
        parts.append(f"{len(report.accepted)} accepted")
    if changed:
        names = ", ".join(plan.stack for plan in changed)
        parts.append(f"the code too wants changes: {names} (python -m infra plan shows them)")
    if report.errors:
        parts.append("not everything could be compared")
    return "; ".join(parts)


def _who(report: Report, thing: Thing) -> str:
    if report.log.not_asked:
        return "by whom: see below"
    event = report.log.last(thing)
    return f"by {event}" if event else f"by whom: no event in {DAYS} days of the audit log"


def _event(event: Event | None) -> dict[str, str] | None:
    if event is None:
        return None
    action = f"{event.service}.{event.action}"
    return {"who": event.who, "time": event.time, "action": action}


def _expired(line: int, day: str) -> str:
    return f"was accepted until {day} (drift_known.yml:{line}); it counts again"


def _left_alone(items: Sequence[tuple[str, str]]) -> str:
    names = command_words([f"{address} {path}" for address, path in items], 4)
    return f"not counted, for no deploy would change it: {names}"


def _remarks(report: Report) -> Iterator[str]:
    for item in report.accepted:
        entry = item.entry
        yield (
            f"accepted until {entry.expires} ({entry.owner}): {item.address} {item.path}: "
            f"{entry.reason}"
        )
    if report.log.not_asked:
        yield f"who changed it is not known, the audit log was not asked: {report.log.not_asked}"
    yield from report.notes
