"""A page of limited length: what matters most stays, and what is cut is said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from infra.review.plan_file import PlanError

# What a comment takes, less the line by which CI finds its comment again.
LIMIT = 65_536 - 136
# Room for the lines that say what was cut.
RESERVE = 1_000


@dataclass
class Block:
    """A piece of the page; the lower its rank, the longer it stays. Rank 0 always stays."""

    text: str
    rank: int
    what: str = ""
    """What is missing when it is cut, in the singular."""


@dataclass
class Page:
    """Blocks in the order in which they are read."""

    blocks: list[Block] = field(default_factory=list)

    def add(self, text: str, rank: int, what: str = "") -> None:
        self.blocks.append(Block(text, rank, what))

    def fits(self) -> bool:
        """Whether all that must stay does."""
        needed = sum(len(block.text) for block in self.blocks if block.rank == 0)
        return needed <= LIMIT - RESERVE

    def text(self) -> str:
        """The page; PlanError when what must stay is too long already."""
        if not self.fits():
            raise PlanError(
                f"what is destroyed does not fit into {LIMIT:,} characters, and is never cut; "
                "use --format json"
            )
        room = LIMIT - RESERVE
        kept: set[int] = set()
        cut: dict[str, int] = {}
        full_from: dict[str, bool] = {}
        # sorted is stable: within a rank, the first stays.
        for number in sorted(range(len(self.blocks)), key=lambda n: self.blocks[n].rank):
            block = self.blocks[number]
            # After the first of its kind that is cut the rest is cut too: no gaps in a list.
            if block.rank and (len(block.text) > room or full_from.get(block.what)):
                cut[block.what] = cut.get(block.what, 0) + 1
                full_from[block.what] = True
                continue
            kept.add(number)
            room -= len(block.text)
        parts = [block.text for number, block in enumerate(self.blocks) if number in kept]
        if cut:
            parts.insert(1, _notice(cut))
            parts.append(_notice(cut))
        return "".join(parts)


def _notice(cut: dict[str, int]) -> str:
    missing = ", ".join(f"{number:,} x {what}" for what, number in cut.items())
    return (
        f"\n> **CUT: this page is too long. Not shown: {missing}.** Nothing that is destroyed was "
        "cut. All of it: `--format json`.\n"
    )


def escaped(text: str) -> str:
    """Text that stays text in Markdown: no markup, no mention, no link."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", plain)
    return " ".join(plain.split()).replace("@", "@<!-- -->")


def code(text: str) -> str:
    """Text in a code span, whatever backticks it has."""
    one_line = " ".join(text.split())
    longest = max((len(run) for run in re.findall(r"`+", one_line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {one_line} {fence}" if longest else f"`{one_line}`"


def fenced(lines: list[str], language: str) -> str:
    """A block of code, whatever backticks it has."""
    text = "\n".join(lines)
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}\n"
