"""Long checks share what the tests of tables use; `make test` leaves them out, `make soak` runs them."""

from __future__ import annotations

from tests.tables.conftest import _connect, databricks, definitions

__all__ = ["_connect", "databricks", "definitions"]
