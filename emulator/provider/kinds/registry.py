"""Which kinds have code of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.provider.client import Api
from emulator.provider.kinds.base import Resource
from emulator.provider.kinds.dashboard import Dashboard
from emulator.provider.kinds.files import File, Notebook, WorkspaceFile
from emulator.provider.kinds.grants import Grant, Grants
from emulator.provider.kinds.identity import Group, current_user
from emulator.provider.kinds.ml import Experiment, ServingEndpoint
from emulator.provider.kinds.permissions import Permissions
from emulator.provider.kinds.sql_table import SqlTable
from emulator.provider.kinds.workspace_binding import WorkspaceBinding

CODE: dict[str, type[Resource]] = {
    "databricks_dashboard": Dashboard,
    "databricks_file": File,
    "databricks_grant": Grant,
    "databricks_grants": Grants,
    "databricks_group": Group,
    "databricks_mlflow_experiment": Experiment,
    "databricks_model_serving": ServingEndpoint,
    "databricks_notebook": Notebook,
    "databricks_permissions": Permissions,
    "databricks_sql_table": SqlTable,
    "databricks_workspace_binding": WorkspaceBinding,
    "databricks_workspace_file": WorkspaceFile,
}
DATA_SOURCES: dict[str, Callable[[Api, dict[str, Any]], dict[str, Any]]] = {
    "databricks_current_user": current_user,
}
