"""Everything that turns system tables into answers: files, jobs, the silver pipeline, warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from health_monitor.spec import DefinitionErrors, Problem

from infra.constructs.base import Reference
from infra.constructs.exchange import Imports, export
from infra.constructs.job import Job, Layer, NotebookTask, PipelineTask, RunJobTask, Task, WheelTask
from infra.constructs.notebook import Notebook
from infra.constructs.pipeline import Pipeline
from infra.constructs.sql_table import SqlTable, TableColumn
from infra.constructs.warehouse import Warehouse
from infra.stacks.base import Platform, imports, new_stack, operations, upload_definitions, writer
from infra.stacks.ml import REFRESH_ID, training_id

WAREHOUSE_ID = "warehouse_main_id"
SILVER_NOTEBOOK = "silver/pipeline.py"
SUMMARY_NOTEBOOK = "operations/health_summary.py"


class PipelinesStack:
    """What a bad change costs: stale data."""

    def __init__(self, app: Any, platform: Platform) -> None:
        self.stack = new_stack(app, platform, "pipelines")
        self._platform = platform
        self._operations = operations(self.stack, platform)
        for kind in ("bronze", "silver", "gold"):
            upload_definitions(self.stack, platform, kind)
        self._warehouse_id = self._warehouse()
        export(self.stack, WAREHOUSE_ID, self._warehouse_id)
        self._monitored_tables()
        self._jobs: dict[str, Reference] = {}
        self._atomic_jobs()
        self._bronze_ingestion()
        self._data_refresh()
        self._hourly_refresh()
        self._orchestrators(imports(self.stack, platform, "ml"))

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

    def _notebook(self, path: str) -> Any:
        name = str(Path(path).with_suffix("")).replace("/", "_")
        workspace_path = self._platform.naming.notebook(path)
        source = self._platform.notebooks / path
        if not source.is_file():
            raise DefinitionErrors(
                [Problem(str(source), 1, "a job runs this notebook; it is missing")]
            )
        return Notebook(self.stack, name=name, source=source, path=workspace_path).path

    def _job(
        self,
        name: str,
        layer: Layer,
        description: str,
        tasks: list[Task],
        timeout_minutes: int,
        cron: str | None = None,
    ) -> None:
        job = Job(
            self.stack,
            name=name,
            layer=layer,
            description=description,
            tasks=tasks,
            timeout_minutes=timeout_minutes,
            operations=self._operations,
            cron=cron,
        )
        self._jobs[name] = job.id

    def _wheel_job(
        self, name: str, description: str, entry_point: str, *more: str, **fixed: str
    ) -> None:
        parameters = {**self._platform.job_parameters(*more), **fixed}
        task = WheelTask("run", entry_point, parameters)
        self._job(name, "atomic", description, [task], timeout_minutes=120)

    def _atomic_jobs(self) -> None:
        self._wheel_job("bronze_setup", "Creates bronze tables", "bronze_setup", "system-catalog")
        for domain in self._domains():
            self._wheel_job(
                f"bronze_{domain}_ingest",
                f"Reads the {domain} system tables into bronze",
                "bronze_ingest",
                "system-catalog",
                domain=domain,
            )
        self._silver()
        self._wheel_job("gold_setup", "Creates and completes gold tables", "gold_setup", "currency")
        self._wheel_job("gold_refresh", "Computes what changed in gold", "gold_refresh", "currency")
        self._wheel_job(
            "governance_deploy",
            "Sets tags, grants and access policies",
            "governance_deploy",
            "groups",
            "owner",
        )
        self._wheel_job("semantic_deploy", "Creates functions and metric views", "semantic_deploy")
        self._wheel_job(
            "monitors_refresh", "Refreshes profile and drift of gold tables", "refresh_monitors"
        )
        summary = NotebookTask(
            "summary",
            self._notebook(SUMMARY_NOTEBOOK),
            {"catalog": self._platform.environment.catalog},
        )
        self._job("health_summary", "atomic", "Says how the platform is", [summary], 30)

    def _domains(self) -> list[str]:
        return sorted({table.domain for table in self._platform.definitions.bronze.values()})

    def _silver(self) -> None:
        environment, naming = self._platform.environment, self._platform.naming
        pipeline = Pipeline(
            self.stack,
            name="silver",
            operations=self._operations,
            catalog=environment.catalog,
            schema="silver",
            notebook=self._notebook(SILVER_NOTEBOOK),
            configuration={"catalog": environment.catalog, "definitions": naming.definitions},
            continuous=environment.silver_pipeline.continuous,
        )
        # A pipeline that never stops needs nobody to start it.
        tasks: list[Task] = []
        if not environment.silver_pipeline.continuous:
            tasks.append(PipelineTask("update", pipeline.id))
        parameters = {**self._platform.job_parameters(), "pipeline": pipeline.id.text}
        after = [task.key for task in tasks]
        tasks.append(WheelTask("results", "silver_results", parameters, after))
        self._job("silver_refresh", "atomic", "Checks what is new in bronze", tasks, 120)
        self._wheel_job(
            "quarantine_replay", "Sends back what no rule refuses any more", "quarantine_replay"
        )

    def _run(self, job: str, *after: str) -> RunJobTask:
        return RunJobTask(job, self._jobs[job], after)

    def _ingests(self) -> list[str]:
        return [f"bronze_{domain}_ingest" for domain in self._domains()]

    def _bronze_ingestion(self) -> None:
        tasks: list[Task] = [self._run(job) for job in self._ingests()]
        cron = self._platform.environment.schedules.bronze_cron
        self._job("bronze_ingestion", "composite", "All system tables", tasks, 240, cron=cron)

    def _data_refresh(self) -> None:
        ingests = self._ingests()
        tasks: list[Task] = [
            *(self._run(job) for job in ingests),
            self._run("silver_refresh", *ingests),
            self._run("gold_refresh", "silver_refresh"),
        ]
        self._job("data_refresh", "composite", "Bronze, silver and gold, in order", tasks, 300)

    def _hourly_refresh(self) -> None:
        """What is new in bronze between its own runs: late rows, a replay, a continuous silver."""
        tasks: list[Task] = [
            self._run("silver_refresh"),
            self._run("gold_refresh", "silver_refresh"),
        ]
        cron = self._platform.environment.schedules.hourly_cron
        self._job("hourly_refresh", "composite", "Silver and gold", tasks, 120, cron=cron)

    def _orchestrators(self, ml: Imports) -> None:
        setup: list[Task] = [
            self._run("bronze_setup"),
            self._run("gold_setup", "bronze_setup"),
            # Before there is a row that somebody should not see.
            self._run("governance_deploy", "gold_setup"),
            self._run("data_refresh", "governance_deploy"),
            self._run("semantic_deploy", "data_refresh"),
            *(
                RunJobTask(f"{model}_training", ml.reference(training_id(model)), ["data_refresh"])
                for model in self._platform.definitions.models
            ),
        ]
        self._job(
            "setup_orchestrator", "master", "From nothing to tables, functions, models", setup, 480
        )
        refresh: list[Task] = [
            self._run("data_refresh"),
            self._run("governance_deploy", "data_refresh"),
            RunJobTask("ml_refresh", ml.reference(REFRESH_ID), ["data_refresh"]),
            self._run("monitors_refresh", "ml_refresh"),
            self._run("health_summary", "monitors_refresh"),
        ]
        self._job(
            "refresh_orchestrator",
            "master",
            "Everything that is new, through all layers",
            refresh,
            480,
            cron=self._platform.environment.schedules.refresh_cron,
        )
