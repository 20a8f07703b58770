"""Long checks share what the tests of tables use; `make soak` runs them, `make test` does not."""

from __future__ import annotations

from tests.tables.conftest import _connect, databricks, definitions

__all__ = ["_connect", "databricks", "definitions"]
