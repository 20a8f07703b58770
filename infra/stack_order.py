"""The stacks and what each needs from another at deploy time (docs/decisions/0005)."""

from __future__ import annotations

from typing import Literal, get_args

StackName = Literal["governance", "ml", "pipelines", "semantic", "observability"]

# In deploy order: a stack stands after all that it needs.
ALL_STACKS: tuple[StackName, ...] = get_args(StackName)

DEPENDS_ON: dict[str, tuple[StackName, ...]] = {
    "governance": (),
    "ml": ("governance",),
    "pipelines": ("governance", "ml"),
    "semantic": ("governance", "pipelines"),
    "observability": ("governance", "pipelines"),
}
