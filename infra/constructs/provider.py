"""The Databricks provider: host and credentials come from the environment, never from a file."""

from __future__ import annotations

from typing import Any

from cdktf_cdktf_provider_databricks.provider import DatabricksProvider


def databricks_provider(scope: Any) -> None:
    """Configure the provider of a stack by nothing: it reads DATABRICKS_HOST and its like."""
    DatabricksProvider(scope, "databricks")
