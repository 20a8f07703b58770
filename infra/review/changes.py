"""What a plan does to each resource, in one word, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from infra.review.differences import Difference, differences
from infra.review.graph import without_index
from infra.review.plan_file import ChangedResource
from infra.review.values import UNKNOWN, Reader


class Action(Enum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REPLACE = "replace"
    MOVE = "move"
    FORGET = "forget"
    IMPORT = "import"

    @property
    def destroys(self) -> bool:
        return self in (Action.DELETE, Action.REPLACE)


# Values that a provider computes from the others, or notes at each write.
DERIVED = ("etag", "md5", "update_time", "updated_at", "updated_by")
# Terraform's codes in words.
WHY = {
    "replace_because_tainted": "the object is tainted: its creation failed, or it was marked",
    "replace_by_request": "the replacement was asked for on the command line",
    "replace_by_triggers": "something that it names in replace_triggered_by changes",
    "delete_because_no_resource_config": "no configuration declares it any more",
    "delete_because_no_module": "its module is gone from the configuration",
    "delete_because_wrong_repetition": "count or for_each was added or taken away",
    "delete_because_count_index": "its index is beyond the new count",
    "delete_because_each_key": "its key is no longer in for_each",
    "delete_because_no_move_target": "the block moved names a target that does not exist",
}


@dataclass(frozen=True)
class Change:
    """One object of one resource, and what would happen to it."""

    address: str
    type: str
    action: Action
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    differences: Sequence[Difference] = ()
    forced_by: Sequence[str] = ()
    """The attributes whose change needs a new object."""
    why: str | None = None
    previous_address: str | None = None
    imported_id: str | None = None
    deposed: str | None = None
    is_drift: bool = False

    @property
    def values(self) -> Mapping[str, Any]:
        """What is there now; of a new resource, what will be there."""
        return self.before or self.after

    def differing(self, *attributes: str) -> Iterator[Difference]:
        """The differences below one of these attributes."""
        return (item for item in self.differences if item.attribute in attributes)


@dataclass(frozen=True)
class Resource:
    """A resource that a plan knows, whether it changes or not."""

    address: str
    type: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def values(self) -> Mapping[str, Any]:
        return self.before or self.after


@dataclass(frozen=True)
class ChangeReader:
    """Reads the changes of one plan."""

    reader: Reader
    configured: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Address without index -> the attributes that the configuration sets."""

    def changes(self, resources: Sequence[ChangedResource], *, drift: bool = False) -> list[Change]:
        return [
            self._change(resource, action, drift)
            for resource in resources
            if resource.mode == "managed" and (action := action_of(resource)) is not None
        ]

    def resources(self, resources: Sequence[ChangedResource]) -> list[Resource]:
        """All managed resources, those that stay as they are too."""
        return [
            Resource(
                resource.address,
                resource.type,
                _attributes(self.reader.before(resource.change)),
                _attributes(self.reader.after(resource.change)),
            )
            for resource in resources
            if resource.mode == "managed" and resource.deposed is None
        ]

    def _change(self, resource: ChangedResource, action: Action, drift: bool) -> Change:
        planned = resource.change
        before = _attributes(self.reader.before(planned))
        after = _attributes(self.reader.after(planned))
        found: list[Difference] = []
        if action in (Action.UPDATE, Action.REPLACE):
            found = [
                item
                for item in differences(before, after)
                if not self._is_consequence(resource.address, item)
            ]
        moved = resource.previous_address
        return Change(
            address=resource.address,
            type=resource.type,
            action=action,
            before=before,
            after=after,
            differences=found,
            forced_by=tuple(_path(path) for path in planned.replace_paths),
            why=WHY.get(resource.action_reason or ""),
            previous_address=moved if moved != resource.address else None,
            imported_id=_imported(self.reader, planned.importing),
            deposed=resource.deposed,
            is_drift=drift,
        )

    def _is_consequence(self, address: str, difference: Difference) -> bool:
        """Whether the value follows from others, and nobody changed it."""
        if difference.attribute in DERIVED:
            return True
        if difference.after is not UNKNOWN or len(difference.path) > 1:
            return False
        return difference.attribute not in self.configured.get(without_index(address), frozenset())


def _attributes(value: Any) -> dict[str, Any]:
    """The attributes of a resource; none where there is none, or where all of it is secret."""
    return value if isinstance(value, dict) else {}


def action_of(resource: ChangedResource) -> Action | None:
    """The action in one word; None when nothing happens to the resource."""
    actions = set(resource.change.actions)
    if "create" in actions:
        return Action.REPLACE if len(actions) > 1 else Action.CREATE
    for action in (Action.UPDATE, Action.DELETE, Action.FORGET):
        if action.value in actions:
            return action
    if resource.change.importing is not None:
        return Action.IMPORT
    if resource.previous_address not in (None, resource.address):
        return Action.MOVE
    return None


def _path(path: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in path)


def _imported(reader: Reader, importing: dict[str, Any] | None) -> str | None:
    if importing is None:
        return None
    return str(reader.read(importing.get("id") or importing.get("identity"), False, False))
