"""Who may do what with the catalog and its schemas; on tables, `workloads/definitions/grants`."""

from __future__ import annotations

from typing import Any

from infra.environment import Groups

Privileges = dict[Any, tuple[str, ...]]

ENTER = ("USE_CATALOG",)
READ = ("USE_SCHEMA", "SELECT", "EXECUTE")
WRITE = (
    "USE_CATALOG",
    "USE_SCHEMA",
    "SELECT",
    "MODIFY",
    "EXECUTE",
    "READ_VOLUME",
    "CREATE_TABLE",
    "CREATE_FUNCTION",
    "CREATE_MODEL",
    "CREATE_MATERIALIZED_VIEW",
)
# What whoever makes monitors needs of the schema with their tables: to alter one is MODIFY.
MONITOR_OUTPUT = ("USE_SCHEMA", "CREATE_TABLE", "MODIFY")


def catalog_privileges(groups: Groups, jobs: Any | None) -> Privileges:
    """Admins have it, engineers and jobs write, all others come in and see nothing yet."""
    writers = [groups.data_engineers, *([] if jobs is None else [jobs])]
    return {
        groups.workspace_admins: ("ALL_PRIVILEGES", "MANAGE"),
        groups.analysts: ENTER,
        groups.monitoring: ENTER,
        **dict.fromkeys(groups.domains.values(), ENTER),
        **dict.fromkeys(writers, WRITE),
    }


def schema_privileges(groups: Groups, jobs: Any | None) -> dict[str, Privileges]:
    """What is more than the catalog gives. Bronze and silver: rows that nobody has checked."""
    return {
        "gold": {
            groups.analysts: READ,
            groups.monitoring: ("USE_SCHEMA",),
            **dict.fromkeys(groups.domains.values(), ("USE_SCHEMA",)),
            # Policies on the schema are made by a job, and need this.
            **({} if jobs is None else {jobs: ("MANAGE",)}),
        },
        "gold_monitoring": {groups.analysts: READ, groups.monitoring: MONITOR_OUTPUT},
    }
