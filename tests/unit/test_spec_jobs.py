"""Jobs and checks: what does not fit together is told with file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from health_monitor.spec import DefinitionErrors, load_definitions

TREE = Path(__file__).parents[1] / "infra" / "definitions"
GOLD_REFRESH = "jobs/gold/gold_refresh.yml"
DOMAIN_REFRESH = "jobs/orchestration/domain_refresh.yml"
DATA_REFRESH = "jobs/orchestration/data_refresh.yml"
REFRESH = "jobs/orchestration/refresh_orchestrator.yml"
INGEST = "jobs/bronze/bronze_ingest.yml"
CHECK = "checks/daily_health_check/sources_are_read"


def problems(root: Path, file: str, old: str, new: str) -> list[str]:
    """What is said of the tree after one change in one file."""
    shutil.copytree(TREE, root, dirs_exist_ok=True)
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(DefinitionErrors) as caught:
        load_definitions(root)
    return [str(problem).removeprefix(f"{root}/") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (GOLD_REFRESH, "{wheel: gold_refresh, parameters: {currency: '{currency}'}}",
         "{job: gold_setup}",
         ":7: an atomic job does the work itself: it runs no other job"),
        (DATA_REFRESH, "{job: gold_refresh, after", "{wheel: gold_refresh, after",
         ":9: a composite job runs other jobs only: give the task a 'job'"),
        (DATA_REFRESH, "{job: gold_refresh, after", "{job: hourly_refresh, after",
         ":9: a composite job runs atomic jobs; hourly_refresh is composite"),
        (REFRESH, "{job: ml_refresh, after", "{job: health_summary, after",
         ":9: a master job runs composite jobs and atomic ones with 'setup'; "
         "health_summary has none"),
        (REFRESH, "{job: ml_refresh, after", "{job: setup_orchestrator, after",
         ":9: a master job runs composite and atomic jobs; setup_orchestrator is master"),
        (REFRESH, "{job: ml_refresh, after", "{job: nothing, after",
         ":9: job nothing does not exist; there are: annual_recovery_drill, bronze_ingest, "),
        (REFRESH, "after: [ml_refresh]", "after: [ml]",
         ":10: task ml does not exist; there are: data_refresh, ml_refresh, monitoring_refresh"),
        (REFRESH, "data_refresh: {job: data_refresh}",
         "data_refresh: {job: data_refresh, after: [monitoring_refresh]}",
         ":7: tasks wait for each other: "),
        (DATA_REFRESH, "bronze_{domain}_ingest: {job", "bronze: {job",
         ":7: a task that runs bronze_ingest has {domain} once in its key"),
        (DATA_REFRESH, "gold_refresh: {job: gold", "gold_{domain}: {job: gold",
         ":9: a task that runs gold_refresh has no placeholder in its key"),
        (DOMAIN_REFRESH, "bronze_ingest: {job", "bronze_{model}_ingest: {job",
         ":9: a task that runs bronze_ingest has {domain} at most once in its key"),
        (DOMAIN_REFRESH, "silver_refresh: {job: silver", "silver_{domain}: {job: silver",
         ":10: a task that runs silver_refresh has no placeholder in its key"),
        (DOMAIN_REFRESH, "{job: bronze_ingest}", "{job: model_scoring}",
         ":9: a task that runs model_scoring has {model} once in its key"),
        (INGEST, "domain: '{domain}'", "domain: '{model}'",
         ":10: unknown placeholder {model}; allowed: admins, catalog, currency, domain, "),
        (INGEST, "Reads the {domain}", "Reads the {model}",
         ":1: unknown placeholder {model}; allowed: domain"),
        (INGEST, "makes: bronze_{domain}_ingest", "makes: bronze_{domains}_ingest",
         ":2: 'makes': String should match pattern"),
        ("jobs/silver/silver_refresh.yml", "stack: pipelines", "stack: observability",
         ":7: only jobs of the stack pipelines start a pipeline; this is in observability"),
        ("jobs/silver/silver_refresh.yml", "stack: pipelines", "stack: ml",
         ":10: unknown placeholder {silver_pipeline}; allowed: admins, catalog, currency, "),
        (GOLD_REFRESH, "severity: info", "severity: P3",
         ":4: 'severity' is 'P3'; allowed: 'info', 'warning' or 'critical'"),
        (GOLD_REFRESH, "wheel: gold_refresh", "wheel: gold_refresh, pipeline: silver",
         ":7: 'tasks.run': a task has one of 'wheel', 'notebook', 'pipeline' and 'job'"),
        (REFRESH, "{environment: refresh_cron}", "{cron: 0 0 6 * * *}",
         ":6: 'schedule.cron': '0 0 6 * * *' is no Quartz expression"),
        (REFRESH, "{environment: refresh_cron}", "{}",
         ":6: 'schedule': a schedule has either 'cron' or 'environment'"),
        (f"{CHECK}.yml", "{source} was", "{sources} was",
         ":4: column sources does not exist; there are: checked_at, source"),
        (f"{CHECK}.sql", "INTERVAL 26 HOURS", ":hours",
         ":1: parameter :hours does not exist; there are: :admins, :job_prefix, :principals"),
        (f"{CHECK}.sql", "SELECT source,", "SELECT sauce AS source,",
         ":1: column sauce does not exist"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_where_it_stands(
    tmp_path: Path, file: str, old: str, new: str, expected: str
) -> None:
    told = problems(tmp_path, file, old, new)
    assert any(problem.startswith(f"{file}{expected}") for problem in told), told


def test_two_jobs_of_one_name_are_refused(tmp_path: Path) -> None:
    shutil.copytree(TREE, tmp_path, dirs_exist_ok=True)
    twin = tmp_path / "jobs" / "bronze" / "bronze_billing_ingest.yml"
    shutil.copy(tmp_path / GOLD_REFRESH, twin)
    with pytest.raises(
        DefinitionErrors, match=f"{INGEST}:2: name 'bronze_billing_ingest' is taken"
    ):
        load_definitions(tmp_path)
