"""How the driver talks: one line a step with its elapsed time, errors as one clear message."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Generic, TypeVar

from rich.console import Console
from rich.markup import escape

T = TypeVar("T")


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
    is_beside: bool = False
    ended: float | None = None

    def say(self, detail: str) -> None:
        """Show progress: in place on a terminal, a line at most every ten seconds elsewhere."""
        if detail == self.detail:
            return
        self.detail = detail
        now = time.monotonic()
        if not self.console.is_terminal and now - self.shown >= 10:
            self.shown = now
            text = escape(f"{self.title}: {detail}" if self.is_beside else detail)
            self.console.print(f"    {self.elapsed():4.0f} s  {text}", highlight=False)

    def elapsed(self) -> float:
        return (self.ended or time.monotonic()) - self.started

    def __rich__(self) -> str:
        return f"{self.title} [dim]{self.elapsed():.0f} s  {escape(self.detail[:70])}[/dim]"


@dataclass
class Begun(Generic[T]):
    """A step at work in a thread of its own."""

    step: Step
    outcome: Future[T] = field(default_factory=Future)

    def run(self, action: Callable[[Step], T]) -> None:
        """Do the work; what it raises reaches whoever waits for it."""
        try:
            found = action(self.step)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self.outcome.set_exception(error)
        else:
            self.step.ended = time.monotonic()
            self.outcome.set_result(found)


@dataclass
class Steps:
    """The steps of one command and how long each took."""

    console: Console = field(default_factory=lambda: Console(width=None, soft_wrap=False))
    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        """Seconds since the first step; steps side by side make their sum a longer time."""
        return time.monotonic() - self.started

    def begin(self, title: str, action: Callable[[Step], T]) -> Begun[T]:
        """Begin a step beside those that follow; ``end`` waits for it.

        Its progress names it, and it does not keep a process alive that ends without it.
        """
        begun = Begun[T](Step(title, self.console, is_beside=True))
        Thread(target=begun.run, args=(action,), name=title, daemon=True).start()
        return begun

    def end(self, begun: Begun[T]) -> T:
        """Wait for a step that was begun, as for any other; what its action gave or raised."""
        begun.step.is_beside = False
        with self.step(begun.step.title, begun.step):
            return begun.outcome.result()

    @contextmanager
    def step(self, title: str, begun: Step | None = None) -> Iterator[Step]:
        """Announce a step, time it, and say how it ended."""
        step = begun or Step(title, self.console)
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
