"""Everything that turns system tables into answers: files, jobs, the silver pipeline, warehouse."""

from __future__ import annotations

from typing import Any

from infra.constructs.base import Reference
from infra.constructs.exchange import export
from infra.constructs.pipeline import Pipeline
from infra.constructs.sql_table import SqlTable, TableColumn
from infra.constructs.warehouse import Warehouse
from infra.stacks.base import Platform, new_stack, operations, upload_definitions, writer
from infra.stacks.jobs import DefinedJobs, upload_notebook

WAREHOUSE_ID = "warehouse_main_id"
SILVER_NOTEBOOK = "silver/pipeline.py"


class PipelinesStack:
    """What a bad change costs: stale data."""

    def __init__(self, app: Any, platform: Platform) -> None:
        self.stack = new_stack(app, platform, "pipelines")
        self._platform = platform
        for kind in ("bronze", "silver", "gold"):
            upload_definitions(self.stack, platform, kind)
        self._warehouse_id = self._warehouse()
        export(self.stack, WAREHOUSE_ID, self._warehouse_id)
        self._monitored_tables()
        DefinedJobs(self.stack, platform, "pipelines", {"silver": self._silver()})

    def _warehouse(self) -> Reference:
        environment = self._platform.environment
        warehouse = Warehouse(
            self.stack,
            name=self._platform.naming.warehouse("main"),
            size=environment.warehouse.size,
            auto_stop_minutes=environment.warehouse.auto_stop_minutes,
            max_clusters=environment.warehouse.max_clusters,
            tags=environment.tags,
        )
        return warehouse.id

    def _monitored_tables(self) -> None:
        """A monitor needs its table at deploy time, before gold has ever run."""
        definitions = self._platform.definitions
        gold = {table.table: table for table in definitions.gold.values()}
        for monitored in sorted({monitor.table for monitor in definitions.monitors.values()}):
            table = gold[monitored]
            columns = [
                TableColumn(
                    column.name,
                    column.type,
                    column.comment,
                    column.nullable and name not in table.key,
                )
                for name, column in table.columns.items()
            ]
            SqlTable(
                self.stack,
                catalog=self._platform.environment.catalog,
                schema="gold",
                name=table.name,
                comment=table.comment,
                owner=writer(self.stack, self._platform.environment),
                columns=columns,
                warehouse=self._warehouse_id,
                prevent_destroy=self._platform.environment.prevent_destroy,
            )

    def _silver(self) -> Reference:
        environment, naming = self._platform.environment, self._platform.naming
        pipeline = Pipeline(
            self.stack,
            name="silver",
            operations=operations(self.stack, self._platform),
            catalog=environment.catalog,
            schema="silver",
            notebook=upload_notebook(self.stack, self._platform, SILVER_NOTEBOOK),
            configuration={"catalog": environment.catalog, "definitions": naming.definitions},
            continuous=environment.silver_pipeline.continuous,
        )
        return pipeline.id
