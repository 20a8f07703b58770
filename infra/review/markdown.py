"""A review as a comment on a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby

from infra.review.folding import Fold, fold
from infra.review.impact import Impact
from infra.review.page import Page, code, escaped, fenced
from infra.review.reviewing import Review, Reviewed
from infra.review.risk import Risk
from infra.review.text_diff import diff_lines

SHOWN_ADDRESSES = 10
SHOWN_NAMES = 12
# What stays longest: destroys, then changes by risk, then what follows from them, then diffs.
MUST, CHANGES, FOLLOWS, DIFFS = 0, 1, 10, 20


def as_markdown(review: Review) -> str:
    """At most ``page.LIMIT`` characters; what is destroyed is never cut."""
    for short in (False, True):
        page = _page(review, short)
        if page.fits():
            break
    return page.text()


def _page(review: Review, short: bool) -> Page:
    """``short``: what is destroyed is named only, because its reasons do not fit."""
    page = Page()
    page.add(_head(review), MUST)
    folds = fold(review.changes)
    if short:
        page.add(_destroyed(review.changes), MUST)
    for risk, group in groupby(folds, key=lambda item: item.first.risk):
        page.add(f"\n### {risk.word.capitalize()}\n", MUST)
        for item in group:
            kept = item.destroys and not short
            rank = MUST if kept else CHANGES + (Risk.CRITICAL - risk)
            page.add(_line(item), rank, f"line of {risk.word} changes")
    _follow(page, review)
    _diffs(page, folds)
    return page


def _head(review: Review) -> str:
    counts = Counter(item.change.action.value for item in review.changes)
    words = [f"{number} {action}" for action, number in counts.most_common()]
    if review.outputs:
        words.append(f"{len(review.outputs)} outputs")
    if review.drift:
        words.append(f"{len(review.drift)} changed outside of Terraform")
    lines = [
        f"## Plan review: {review.risk.word if review.risk else 'no'} risk\n",
        f"\n{', '.join(words) or 'Nothing to do'}. Plan {code(review.hash)}\n",
    ]
    lines += [f"\n> **{escaped(note)}**\n" for note in review.notes]
    return "".join(lines)


def _destroyed(items: Iterable[Reviewed]) -> str:
    """All that is destroyed, in as few characters as can be."""
    lines = ["\n### Destroyed\n"]
    destroyed = [item.change for item in items if item.change.action.destroys]
    destroyed.sort(key=lambda change: (change.action.value, change.type))
    for (action, kind), group in groupby(destroyed, key=lambda c: (c.action.value, c.type)):
        names = [change.address.replace(f"{kind}.", "", 1) for change in group]
        lines.append(f"- **{action}** {len(names)} {code(kind)}: {code(' '.join(names))}\n")
    return "".join(lines)


def _line(item: Fold) -> str:
    first, change = item.first, item.first.change
    addresses = item.addresses
    most = len(addresses) if item.destroys else SHOWN_ADDRESSES
    names = ", ".join(code(address) for address in addresses[:most])
    if len(addresses) > most:
        names += f" and {len(addresses) - most} more"
    count = f"{len(addresses)} x " if len(addresses) > 1 else ""
    reasons = "; ".join(escaped(reason) for reason in first.reasons)
    source = f" ({code(str(first.source))})" if first.source and len(addresses) == 1 else ""
    return f"- **{change.action.value}** {count}{names}{source}: {reasons}\n"


def _follow(page: Page, review: Review) -> None:
    if review.renames:
        page.add("\n### Renames\nDestroyed and made anew; this keeps the state instead:\n", FOLLOWS)
        for rename in review.renames:
            text = fenced([*rename.block.splitlines(), f"# or: {rename.command}"], "hcl")
            page.add(text, FOLLOWS, "rename")
    if review.impacts:
        page.add("\n### What stands on it\n", FOLLOWS)
        for impact in review.impacts:
            page.add(_impact(impact), FOLLOWS, "line of what stands on a change")
    if review.cost.items:
        _cost(page, review)
    if review.outputs:
        lines = fenced(diff_lines(review.outputs), "diff")
        page.add(f"\n### Outputs\n{lines}", FOLLOWS, "list of outputs")
    if review.drift:
        page.add("\n### Changed outside of Terraform\n", FOLLOWS)
        for item in fold(review.drift):
            page.add(_line(item), FOLLOWS, "line of what changed outside")


def _impact(impact: Impact) -> str:
    groups = [(group, names) for group, names in impact.assets.items()]
    if impact.resources:
        groups.append(("resources", impact.resources))
    parts = [f"{group.replace('_', ' ')}: {_names(names)}" for group, names in groups]
    people = [*impact.owners, *impact.subscribers]
    told = f" **Tell:** {_names(people)}." if people else ""
    word = "stop working" if impact.stops else "read what changes"
    return f"- {code(impact.address)}: these {word}: {'; '.join(parts)}.{told}\n"


def _names(names: list[str]) -> str:
    text = ", ".join(code(name) for name in names[:SHOWN_NAMES])
    rest = len(names) - SHOWN_NAMES
    return f"{text} and {rest} more" if rest > 0 else text


def _cost(page: Page, review: Review) -> None:
    cost = review.cost
    head = (
        f"\n### Cost a month: {cost.dbus:+,.0f} DBU, {cost.money:+,.2f} {cost.currency}\n"
        f"List prices of {cost.assumptions.taken_on}, and assumptions about how long things are "
        "busy (`infra/review/cost_assumptions.yml`).\n\n| resource | what | DBU | money |\n"
        "|---|---|---:|---:|\n"
    )
    page.add(head, FOLLOWS)
    for item in sorted(cost.items, key=lambda item: -abs(item.money or Decimal(0))):
        amounts = "| unpriced"
        if item.money is not None and item.dbus is not None:
            amounts = f"{item.dbus:+,.0f} | {item.money:+,.2f}"
        what = escaped(item.unpriced or item.what)
        text = f"| {code(item.address)} | {what} | {amounts} |\n"
        page.add(text, FOLLOWS, "line of costs")


def _diffs(page: Page, folds: list[Fold]) -> None:
    shown = [item for item in folds if item.first.change.differences]
    if shown:
        page.add("\n### Details\n", DIFFS)
    for item in shown:
        change = item.first.change
        more = f" and {len(item.items) - 1} like it" if len(item.items) > 1 else ""
        text = (
            f"<details><summary>{_html(change.address)}{more}</summary>\n\n"
            f"{fenced(diff_lines(change.differences), 'diff')}\n</details>\n"
        )
        page.add(text, DIFFS + (Risk.CRITICAL - item.first.risk), "details of a change")


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
