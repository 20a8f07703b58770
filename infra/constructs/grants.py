"""Who may do what with one securable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from cdktf_cdktf_provider_databricks.grants import Grants as DatabricksGrants
from cdktf_cdktf_provider_databricks.grants import GrantsGrant

from infra.constructs.base import address

Securable = Literal["catalog", "schema", "volume", "model"]


class Grants:
    """All grants of one securable; a grant that is not listed is taken away."""

    def __init__(
        self,
        scope: Any,
        *,
        name: str,
        on: Securable,
        securable: Any,
        privileges: Mapping[Any, Sequence[str]],
    ) -> None:
        DatabricksGrants(
            scope,
            address(scope, "grants", name),
            grant=[
                GrantsGrant(principal=principal, privileges=sorted(names))
                for principal, names in privileges.items()
            ],
            **{on: securable},
        )
