"""Who notices a change: what stands on it, by the plan's graph and by the definitions' lineage."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.review.assets import Assets, Reading, made_by, monitored
from infra.review.changes import Action, Change, Resource
from infra.review.graph import Graph, without_index
from infra.review.rule import look_up
from infra.review.sources import Sources, uploaded_file
from infra.review.values import UNKNOWN, Masked

# What the kinds of definitions are to people.
GROUPS = {
    "bronze": "tables",
    "silver": "tables",
    "gold": "tables",
    "functions": "functions",
    "metric_views": "views",
    "alerts": "alerts",
    "dashboards": "dashboards",
    "genie_spaces": "genie_spaces",
    "models": "models",
    "monitors": "monitors",
}
_THREE_PARTS = re.compile(r"\b\w+\.\w+\.\w+\b")
TEXTS = ("query_text", "serialized_dashboard", "table_name", "view_definition", "content_base64")
ALERTS = ("databricks_alert", "databricks_alert_v2")


@dataclass(frozen=True)
class Impact:
    """What stands on one change; ``stops``: it stops working, else it reads something else."""

    address: str
    stops: bool
    resources: list[str]
    assets: Mapping[str, list[str]]
    owners: list[str]
    subscribers: list[str]

    def __bool__(self) -> bool:
        return bool(self.resources or self.assets)


@dataclass
class Surroundings:
    """All resources of a plan, the ones that do not change too."""

    graph: Graph
    sources: Sources
    resources: Sequence[Resource]
    _readers: dict[str, set[str]] = field(default_factory=dict)
    _by_address: dict[str, Resource] = field(default_factory=dict)

    def __post_init__(self) -> None:
        readers: defaultdict[str, set[str]] = defaultdict(set)
        for resource in self.resources:
            self._by_address[without_index(resource.address)] = resource
            values = resource.after or resource.before
            for name in _tables_named(values):
                readers[name].add(resource.address)
        self._readers = dict(readers)

    def impact(self, change: Change) -> Impact:
        """What stands on a change."""
        stops = change.action.destroys
        if change.deposed or not (stops or uploaded_file(change)):
            return Impact(change.address, stops, [], {}, [], [])
        names = broken_names(change, self.sources.assets)
        addresses = self.graph.downstream([change.address]) if stops else set()
        addresses |= self._reading(change) - {change.address}
        readings = self.sources.assets.downstream(names) if names else []
        touched: list[Resource | Change] = [change] if stops else []
        touched += [self._by_address[name] for name in addresses if name in self._by_address]
        return Impact(
            address=change.address,
            stops=stops,
            resources=sorted(addresses),
            assets=_grouped(readings),
            owners=sorted({*_owners(touched)}),
            subscribers=sorted({*self._subscribers(touched), *_told(readings)}),
        )

    def _reading(self, change: Change) -> set[str]:
        """Resources of the plan whose queries name the table by its full name."""
        values = change.values
        if change.type == "databricks_sql_table":
            parts = (values.get("catalog_name"), values.get("schema_name"), values.get("name"))
            return set(self._readers.get(".".join(map(str, parts)).lower(), ()))
        return set()

    def _subscribers(self, touched: Iterable[Resource | Change]) -> Iterator[str]:
        for resource in touched:
            if resource.type not in ALERTS:
                continue
            found = look_up(resource.values, "evaluation", "notification", "subscriptions") or []
            named = False
            for subscription in found if isinstance(found, list) else []:
                name = self._subscriber(subscription)
                named = named or name is not None
                if name is not None:
                    yield name
            if not named:
                yield from self._destinations(resource.address)

    def _subscriber(self, subscription: Any) -> str | None:
        if not isinstance(subscription, dict):
            return None
        email, wanted = subscription.get("user_email"), subscription.get("destination_id")
        if isinstance(email, str):
            return email
        for resource in self.resources:
            values = resource.values
            if wanted is not None and wanted is not UNKNOWN and values.get("id") == wanted:
                return _title(resource)
        return None

    def _destinations(self, address: str) -> Iterator[str]:
        """The destinations that an alert refers to in the configuration."""
        for names in self.graph.reads.get(without_index(address), {}).values():
            for name in names:
                if name.rpartition("module.")[2].startswith("databricks_notification_destination."):
                    known = self._by_address.get(name)
                    yield _title(known) if known else name


def broken_names(change: Change, assets: Assets) -> set[str]:
    """The tables, functions and models that a change takes away or changes."""
    values = change.values
    name, schema = values.get("name"), values.get("schema_name")
    match change.type:
        case "databricks_catalog":
            return set(assets.names)
        case "databricks_schema":
            return {item for item in assets.names if item.startswith(f"{name}.")}
        case "databricks_sql_table" | "databricks_registered_model":
            return {f"{schema}.{name}"}
        case "databricks_quality_monitor" | "databricks_lakehouse_monitor":
            return set(monitored(str(values.get("table_name"))))
        case "databricks_workspace_file":
            parts = (uploaded_file(change) or "").split("/")
            return set(made_by(parts[0], parts[-1].partition(".")[0], {})) if parts[1:] else set()
    return set()


def _tables_named(values: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    for key in TEXTS:
        if values.get(key):
            for text in _strings(values[key]):
                found |= {name.lower() for name in _THREE_PARTS.findall(text)}
    return found


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _grouped(readings: Iterable[Reading]) -> dict[str, list[str]]:
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for asset in (reading.asset for reading in readings):
        prefix = f"{asset.kind}." if asset.kind in ("bronze", "silver", "gold") else ""
        groups[GROUPS.get(asset.kind, asset.kind)].add(f"{prefix}{asset.name}")
    return {group: sorted(names) for group, names in sorted(groups.items())}


def _told(readings: Iterable[Reading]) -> Iterator[str]:
    for reading in readings:
        yield from reading.told


def _owners(touched: Iterable[Resource | Change]) -> Iterator[str]:
    for resource in touched:
        values = resource.values
        for path in (
            ("owner",),
            ("tags", "owner"),
            ("properties", "owner"),
            ("custom_tags", "owner"),
        ):
            owner = look_up(values, *path)
            if owner is not None and owner is not UNKNOWN and not isinstance(owner, Masked):
                yield str(owner)


def _title(resource: Resource) -> str:
    return str(resource.values.get("display_name") or resource.address)


def is_touched(change: Change) -> bool:
    """Whether a change can have a blast radius."""
    return change.action in (Action.DELETE, Action.REPLACE) or uploaded_file(change) is not None
