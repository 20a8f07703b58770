"""SQL on the deployed warehouse, through the Statement Execution API as any client would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import Disposition, Format, StatementResponse, StatementState

from tools.console import DriverError

WAIT = "50s"


@dataclass
class Warehouse:
    """A warehouse to ask; answers are rows of strings or None, as the API gives them."""

    client: WorkspaceClient
    warehouse_id: str

    @classmethod
    def deployed(cls, client: WorkspaceClient) -> Warehouse:
        """The one warehouse that the platform deployed."""
        found = [w.id for w in client.warehouses.list() if w.id]
        if not found:
            raise DriverError("No SQL warehouse is deployed", client.config.host or "")
        return cls(client, found[0])

    def rows(self, statement: str) -> list[list[str | None]]:
        """All rows of a statement, chunk by chunk; DriverError with the statement's own error."""
        response = self.client.statement_execution.execute_statement(
            statement=statement,
            warehouse_id=self.warehouse_id,
            wait_timeout=WAIT,
            disposition=Disposition.INLINE,
            format=Format.JSON_ARRAY,
        )
        while _state(response) in {StatementState.PENDING, StatementState.RUNNING}:
            response = self.client.statement_execution.get_statement(str(response.statement_id))
        if _state(response) is not StatementState.SUCCEEDED:
            error = response.status.error if response.status else None
            raise DriverError(f"A query failed: {error.message if error else 'no reason given'}")
        return self._all_chunks(response)

    def row(self, statement: str) -> Sequence[Any]:
        return self.rows(statement)[0]

    def _all_chunks(self, response: StatementResponse) -> list[list[str | None]]:
        found: list[list[str | None]] = []
        chunk = response.result
        while chunk is not None:
            found += [list(row) for row in chunk.data_array or []]
            if chunk.next_chunk_index is None:
                break
            chunk = self.client.statement_execution.get_statement_result_chunk_n(
                str(response.statement_id), chunk.next_chunk_index
            )
        return found


def _state(response: StatementResponse) -> StatementState | None:
    return response.status.state if response.status else None
