"""The file of accepted drift: its mistakes, and what an entry covers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from health_monitor.spec import DefinitionErrors

from infra import __main__ as command
from infra.drift import known
from infra.drift.known import FILE, Acceptance, load_known

TODAY = date(2026, 11, 27)
ENTRY = """known:
  - environments: [prod]
    address: databricks_job.job_gold_refresh
    path: schedule
    reason: Paused while the billing export is repaired.
    owner: platform_team
    expires: 2026-12-31
"""


def read(folder: Path, text: str, environment: str = "prod") -> Acceptance:
    file = folder / "drift_known.yml"
    file.write_text(text)
    return load_known(environment, TODAY, file)


def test_the_file_of_the_repository_is_valid() -> None:
    assert load_known("prod", datetime.now(UTC).date(), FILE).entries == []


def test_an_entry_holds_for_its_environment_and_knows_its_line(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, ENTRY).entries
    assert entry.line == 2
    assert read(tmp_path, ENTRY, "dev").entries == []


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("    owner: platform_team\n", "", 2, "'known[0].owner' is missing"),
        ("reason: Paused while the billing export is repaired.", "reason: No", 5, "reason"),
        ("2026-12-31", "soon", 7, "expires"),
        ("2026-12-31", "2028-01-01", 7, "366 days at most"),
        ("[prod]", "[prd]", 2, "environment 'prd' does not exist; there are: dev, local, prod"),
        ("path: schedule", "pth: schedule", 4, "unknown key 'pth'; did you mean 'path'?"),
        ("path: schedule", "path: '*'", 4, "path"),
        ("databricks_job.job_gold_refresh", "gold", 3, "address"),
        ("known:", "known: [", 2, "not valid YAML"),
    ],
)
def test_a_mistake_is_told_at_its_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    with pytest.raises(DefinitionErrors) as caught:
        read(tmp_path, ENTRY.replace(old, new, 1))
    messages = [str(problem) for problem in caught.value.problems]
    assert any(f"drift_known.yml:{line}: " in text and said in text for text in messages), messages


def test_a_missing_file_says_what_it_would_hold(tmp_path: Path) -> None:
    with pytest.raises(DefinitionErrors, match="it holds `known: \\[\\]`"):
        load_known("prod", TODAY, tmp_path / "drift_known.yml")


@pytest.mark.parametrize(
    ("address", "path", "covered"),
    [
        ("databricks_job.job_gold_refresh", "schedule", True),
        ("databricks_job.job_gold_refresh", "schedule.pause_status", True),
        ("databricks_job.job_gold_refresh", "schedule[a].b", True),
        ("databricks_job.job_gold_refresh", "schedules", False),
        ("databricks_job.job_gold_refresh", "deleted", False),
        ("databricks_job.job_gold_refresh_2", "schedule", False),
    ],
)
def test_a_path_takes_what_is_below_it(
    tmp_path: Path, address: str, path: str, covered: bool
) -> None:
    assert (read(tmp_path, ENTRY).of(address, path) is not None) is covered


def test_a_star_takes_every_address_with_that_beginning(tmp_path: Path) -> None:
    accepted = read(tmp_path, ENTRY.replace("job_gold_refresh", "job_gold_*"))
    assert accepted.of("databricks_job.job_gold_setup", "schedule")
    assert not accepted.of("databricks_job.job_silver_setup", "schedule")


def test_an_entry_counts_on_its_last_day_and_not_after(tmp_path: Path) -> None:
    entries = read(tmp_path, ENTRY).entries
    address, path = "databricks_job.job_gold_refresh", "schedule"
    last = Acceptance(entries, date(2026, 12, 31))
    assert last.of(address, path) and not last.expired(address, path)
    after = Acceptance(entries, date(2027, 1, 1))
    assert not after.of(address, path) and after.expired(address, path)


def test_the_command_ends_with_1_before_it_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "drift_known.yml"
    file.write_text("known: 7\n")
    load = known.load_known
    monkeypatch.setattr(known, "load_known", lambda name, today: load(name, today, file))
    for name in ("DATABRICKS_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("DATABRICKS_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    assert command.main(["drift", "--env", "local"]) == 1
    assert "drift_known.yml:1: known: " in capsys.readouterr().err
