"""How the driver talks: one line a step with its elapsed time, errors as one clear message."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape


class DriverError(Exception):
    """Something that a person can act on: what happened, where, what to do."""

    def __init__(self, what: str, where: str = "", todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.todo = todo


@dataclass
class Step:
    """A running step; ``say`` shows what it is at."""

    title: str
    console: Console
    started: float = field(default_factory=time.monotonic)
    detail: str = ""
    shown: float = 0.0

    def say(self, detail: str) -> None:
        """Show progress: in place on a terminal, a line at most every ten seconds elsewhere."""
        if detail == self.detail:
            return
        self.detail = detail
        now = time.monotonic()
        if not self.console.is_terminal and now - self.shown >= 10:
            self.shown = now
            self.console.print(f"    {self.elapsed():4.0f} s  {escape(detail)}", highlight=False)

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def __rich__(self) -> str:
        return f"{self.title} [dim]{self.elapsed():.0f} s  {escape(self.detail[:70])}[/dim]"


@dataclass
class Steps:
    """The steps of one command and how long each took."""

    console: Console = field(default_factory=lambda: Console(width=None, soft_wrap=False))
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Announce a step, time it, and say how it ended."""
        step = Step(title, self.console)
        if self.console.is_terminal:
            with self.console.status(step):
                yield step
        else:
            self.console.print(f"  {title} ...", highlight=False)
            yield step
        self.seconds[title] = step.elapsed()
        note = f"  [dim]{escape(step.detail[:60])}[/dim]" if step.detail else ""
        mark = "[green]done[/green]"
        self.console.print(f"  {mark} {title} in {step.elapsed():.1f} s{note}", highlight=False)

    def fail(self, error: DriverError) -> None:
        """Print an error: what, where, what to do."""
        self.console.print(f"[bold red]Error:[/bold red] {escape(error.what)}", highlight=False)
        if error.where:
            self.console.print(f"  where: {escape(error.where)}", highlight=False)
        if error.todo:
            self.console.print(f"  to do: {escape(error.todo)}", highlight=False)
