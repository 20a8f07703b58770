"""A tag on something in Unity Catalog, and a tag whose values the account governs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from cdktf_cdktf_provider_databricks.entity_tag_assignment import EntityTagAssignment
from cdktf_cdktf_provider_databricks.tag_policy import TagPolicy, TagPolicyValues

from infra.constructs.base import address, keep


class Tag:
    """One tag of a catalog, schema or volume; tables get theirs from the governance job."""

    def __init__(
        self,
        scope: Any,
        *,
        name: str,
        on: Literal["catalogs", "schemas", "volumes"],
        entity: Any,
        key: str,
        value: str,
    ) -> None:
        EntityTagAssignment(
            scope,
            address(scope, "tag", f"{name}_{key}"),
            entity_type=on,
            entity_name=entity,
            tag_key=key,
            tag_value=value,
        )


class GovernedTag:
    """A tag that policies may ask for. It holds for the whole account."""

    def __init__(
        self,
        scope: Any,
        *,
        key: str,
        description: str,
        values: Sequence[str],
        prevent_destroy: bool,
    ) -> None:
        TagPolicy(
            scope,
            address(scope, "governed_tag", key),
            tag_key=key,
            description=description,
            values=[TagPolicyValues(name=value) for value in values],
            lifecycle=keep(prevent_destroy),
        )
