"""What a deploy made and did not note, because it was killed: found, and taken into the state.

Terraform writes a state at the end, and now and then before it; what a killed deploy made since is
in no state, and the next would make jobs and alerts twice and fail for all that has a unique name.
So a plan and a deploy first look for what they are about to create, and import what is there; a
destroy looks too, or it would leave it.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from databricks.sdk import WorkspaceClient

from infra import import_blocks
from infra.declared import Configuration, Declared
from infra.drift.audit import CLIENT_ERRORS, first_line
from infra.drift.lookup import TYPES, Lookup
from infra.drift.unmanaged import Found, Held
from infra.naming import Naming
from infra.paths import ROOT
from infra.planning import Planner
from infra.preflight import PreflightError

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Orphan:
    """A resource of the code that is in no state, and the object that it must be."""

    declared: Declared
    found: Found

    def __str__(self) -> str:
        return (
            f"{self.declared.stack}: {self.declared.address} is in the workspace "
            f"({self.found.id}) and in no state: imported, not created"
        )


@dataclass(frozen=True)
class Recovery:
    """Looks for orphans of one environment, and has Terraform import them."""

    planner: Planner
    connect: Callable[[], WorkspaceClient]
    tell: Tell
    strict: bool = True
    """Whether it is an error when the workspace cannot be asked."""

    @contextmanager
    def imports(self, stacks: Sequence[str]) -> Iterator[Planner]:
        """A planner whose folders are ready, and hold an import for each orphan until the end."""
        folders = [self.planner.folder(stack) for stack in stacks]
        try:
            for orphan in self.orphans(stacks):
                self.tell(str(orphan))
                folder = self.planner.folder(orphan.declared.stack)
                import_blocks.add(folder, orphan.declared.address, orphan.found.id)
            yield replace(self.planner, ready=True)
        finally:
            import_blocks.forget(folders)

    def adopt(self, stacks: Sequence[str]) -> None:
        """Take orphans into the state at once, for a destroy to remove; what is in doubt stays."""
        orphans, doubts = self._look(stacks)
        for orphan in orphans:
            address, id_ = orphan.declared.address, orphan.found.id
            self.tell(f"{orphan.declared.stack}: {address} ({id_}) was in no state: taken into it")
            folder = self.planner.folder(orphan.declared.stack)
            self.planner.terraform.adopt(folder, address, id_)
        for doubt in doubts:
            self.tell(f"not destroyed: {doubt}")

    def orphans(self, stacks: Sequence[str]) -> list[Orphan]:
        """What these stacks declare, no state holds and is there; PreflightError names doubts."""
        orphans, doubts = self._look(stacks)
        if doubts:
            raise PreflightError("\n".join(doubts))
        return orphans

    def _look(self, stacks: Sequence[str]) -> tuple[list[Orphan], list[str]]:
        held = Held()
        missing = list(self._missing(stacks, held))
        if not missing:
            return [], []
        # What another stack's state holds is no orphan.
        for stack in self.planner.environment.stacks:
            if stack not in stacks:
                self._addresses(stack, held)
        return self._found(missing, held)

    def _missing(self, stacks: Sequence[str], held: Held) -> Iterator[Declared]:
        for stack in stacks:
            addresses = self._addresses(stack, held)
            for declared in Configuration.read(self.planner.folder(stack)).declared(stack):
                if declared.address not in addresses and declared.type in TYPES:
                    yield declared

    def _addresses(self, stack: str, held: Held) -> set[str]:
        folder = self.planner.folder(stack)
        self.planner.terraform.init(folder)
        resources = self.planner.terraform.resources(folder)
        for resource in resources:
            held.add(resource.type, resource.values)
        return {resource.address for resource in resources}

    def _found(self, missing: Sequence[Declared], held: Held) -> tuple[list[Orphan], list[str]]:
        orphans: list[Orphan] = []
        doubts: list[str] = []
        try:
            lookup = Lookup(self.connect(), Naming(self.planner.environment))
            for declared in missing:
                candidates = [f for f in lookup.candidates(declared) if not held.holds(f)]
                if len(candidates) == 1 and lookup.is_ours(candidates[0]):
                    orphans.append(Orphan(declared, candidates[0]))
                elif candidates:
                    doubts.append(self._doubt(declared, candidates))
        except CLIENT_ERRORS as error:
            message = f"what an earlier deploy made was not looked for: {first_line(error)}"
            if self.strict:
                raise PreflightError(message) from error
            self.tell(message)
            return [], []
        return orphans, doubts

    def _doubt(self, declared: Declared, candidates: Sequence[Found]) -> str:
        """Of several, a person has to choose; so with what the platform may not have made."""
        ids = ", ".join(found.id for found in candidates)
        why = (
            f"{len(candidates)} have its name ({ids}); delete all but one"
            if len(candidates) > 1
            else f"{ids} is there and bears no sign of the platform (the environment's tags)"
        )
        folder = self.planner.folder(declared.stack)
        place = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
        first = shlex.quote(candidates[0].id)
        return "\n".join(
            [
                f"{declared.stack}: {declared.address} is in no state; {why}.",
                "  Take the one to keep into the state, then try again:",
                f"    terraform -chdir={place} import {declared.address} {first}",
            ]
        )
