"""Modules that only Databricks' runtime has: ``dbruntime`` and ``pyspark.dbutils``.

With them ``from databricks.sdk.runtime import spark, dbutils`` works in a task as it does there.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from emulator.compute.context import TaskContext
from emulator.compute.dbutils import DbUtils
from emulator.compute.display import display, display_html
from emulator.compute.notebook_run import run_notebook


def install_runtime_modules(context: TaskContext) -> None:
    """Put the modules where imports find them."""
    dbutils = DbUtils(context, _parameters(context), _runner(context))

    class UserNamespaceInitializer:
        @classmethod
        def getOrCreate(cls) -> UserNamespaceInitializer:
            return cls()

        def get_namespace_globals(self) -> dict[str, Any]:
            session = context.session()
            return {
                "spark": session,
                "sql": session.sql,
                "table": session.table,
                "dbutils": dbutils,
                "display": display,
                "displayHTML": display_html,
                "getArgument": dbutils.widgets.getArgument,
            }

    class DBUtils:
        def __new__(cls, _session: object = None) -> Any:
            return dbutils

    _add("dbruntime", UserNamespaceInitializer=UserNamespaceInitializer)
    _add("pyspark.dbutils", DBUtils=DBUtils)


def _add(name: str, **members: object) -> None:
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module


def _parameters(context: TaskContext) -> dict[str, str]:
    return dict(context.spec.payload.get("base_parameters") or {})


def _runner(context: TaskContext) -> Any:
    def run(path: str, timeout_seconds: int, arguments: dict[str, str]) -> str:
        return run_notebook(context, path, arguments, timeout_seconds) or ""

    return run
