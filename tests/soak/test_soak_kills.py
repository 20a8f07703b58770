"""Spark is killed again and again; what is there in the end is what an undisturbed run makes.

Not part of `make test`, which kills once or twice; `make soak` runs it. HEALTH_MONITOR_SOAK_KILLS
and HEALTH_MONITOR_SOAK_SEED choose how often, and where.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import threading
import time
from datetime import date
from pathlib import Path

import pytest

from emulator.account.simulate import simulate
from tests.e2e.conftest import Platform
from tests.e2e.refreshing import kill_noted
from tools.querying import Warehouse

pytestmark = [pytest.mark.spark, pytest.mark.terraform, pytest.mark.timeout(4 * 3600)]
CATALOG = "spark_catalog"
KILLS = int(os.environ.get("HEALTH_MONITOR_SOAK_KILLS", "20"))
SEED = int(os.environ.get("HEALTH_MONITOR_SOAK_SEED", "1"))
LONGEST_WAIT = 90.0
# When and in which run something was done differs from run to run; what was done does not.
VOLATILE = {"ingested_at", "quarantined_at", "batch", "checked_at", "updated_at", "update_id"}


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("account")
    end = date(2026, 11, 20)
    simulate(out, days=20, seed=SEED, workspaces=2, usage_rows=3000, end=end)
    return out / "tables"


def contents(platform: Platform) -> dict[str, tuple[str | None, ...]]:
    """Per table its number of rows and a sum of their hashes, which knows no order."""
    warehouse, found = Warehouse.deployed(platform.client), {}
    for schema in ("bronze", "silver", "gold"):
        for table in warehouse.client.tables.list(CATALOG, schema):
            if "VIEW" in str(table.table_type):
                continue
            names = [str(c.name) for c in table.columns or [] if c.name not in VOLATILE]
            row = f"TO_JSON(STRUCT({', '.join(f'`{name}`' for name in names)}))"
            found[str(table.full_name)] = tuple(
                warehouse.row(
                    f"SELECT COUNT(*), SUM(CAST(XXHASH64({row}) AS DECIMAL(38, 0))) "
                    f"FROM {CATALOG}.{schema}.`{table.name}`"
                )
            )
    return found


def run_and_kill(platform: Platform, exports: Path, seconds: float) -> tuple[int, bool]:
    """One `make local` whose Spark is killed after some seconds of it; its exit code, and whether.

    Seconds count from when Spark is up, so that every kill hits work.
    """
    driver = platform.start("local", "--system-tables", str(exports))
    killed = threading.Event()

    def kill() -> None:
        noted = platform.folder / "workspace" / "compute.json"
        while driver.poll() is None and not noted.exists():
            time.sleep(0.2)
        deadline = time.monotonic() + seconds
        while driver.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if driver.poll() is None and noted.exists():
            kill_noted(noted)
            killed.set()

    killer = threading.Thread(target=kill)
    killer.start()
    output, _ = driver.communicate()
    killer.join()
    assert "Traceback" not in output, output
    return driver.returncode, killed.is_set()


def test_twenty_kills_leave_what_no_kill_leaves(
    exports: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    calm, stormy = (Platform(tmp_path_factory.mktemp(name)) for name in ("calm", "stormy"))
    try:
        calm.tools("local", "--system-tables", str(exports), timeout=3600)
        expected = contents(calm)
    finally:
        calm.tools("stop", check=False)
    chance, kills = random.Random(SEED), 0  # noqa: S311 - a place to kill at, not a secret
    try:
        while kills < KILLS:
            code, killed = run_and_kill(stormy, exports, chance.uniform(1, LONGEST_WAIT))
            kills += killed
            print(f"kill {kills} of {KILLS}: exit code {code}", file=sys.stderr)
            assert code in (0, 1)
            if code == 0 and not killed:
                # It came through: all of it has to be done again.
                stormy.tools("stop")
                shutil.rmtree(stormy.folder)
                stormy.folder.mkdir()
        stormy.tools("local", "--system-tables", str(exports), timeout=3600)
        assert contents(stormy) == expected
    finally:
        stormy.tools("stop", check=False)
