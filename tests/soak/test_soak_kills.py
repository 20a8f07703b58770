"""Spark is killed again and again; what is there in the end is what an undisturbed run makes.

Not part of `make test`, which kills once or twice; `make soak` runs it. HEALTH_MONITOR_SOAK_KILLS
and HEALTH_MONITOR_SOAK_SEED choose how often, and where.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psutil
import pytest

from emulator.account.simulate import simulate
from tests.e2e.conftest import Platform
from tools.querying import Warehouse

pytestmark = [pytest.mark.spark, pytest.mark.terraform, pytest.mark.timeout(4 * 3600)]
CATALOG = "spark_catalog"
KILLS = int(os.environ.get("HEALTH_MONITOR_SOAK_KILLS", "20"))
SEED = int(os.environ.get("HEALTH_MONITOR_SOAK_SEED", "1"))
LONGEST_WAIT = 60.0
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


@dataclass
class Killer:
    """Kills the Spark of one `make local` whenever it has worked for some seconds."""

    platform: Platform
    chance: random.Random
    most: int
    kills: int = 0

    def run(self, exports: Path) -> int:
        """The exit code of the run; at most ``most`` kills in it."""
        driver = self.platform.start("local", "--system-tables", str(exports))
        killing = threading.Thread(target=self._kill_until_ended, args=(driver,))
        killing.start()
        output, _ = driver.communicate()
        killing.join()
        assert "Traceback" not in output, output
        return int(driver.returncode)

    def _kill_until_ended(self, driver: subprocess.Popen[str]) -> None:
        killed = None
        while driver.poll() is None and self.kills < self.most:
            spark = spark_of(self.platform)
            if spark is None or spark == killed:
                time.sleep(0.2)
                continue
            due = time.monotonic() + self.chance.uniform(1, LONGEST_WAIT)
            while driver.poll() is None and psutil.pid_exists(spark) and time.monotonic() < due:
                time.sleep(0.1)
            if driver.poll() is None and psutil.pid_exists(spark):
                psutil.Process(spark).kill()
                killed = spark
                self.kills += 1


def spark_of(platform: Platform) -> int | None:
    """The process of a Spark that is up; None while there is none."""
    try:
        noted = json.loads((platform.folder / "workspace" / "compute.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):  # None was started, or it is being noted.
        return None
    return int(noted["pid"]) if psutil.pid_exists(noted["pid"]) else None


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
            killer = Killer(stormy, chance, KILLS - kills)
            code = killer.run(exports)
            kills += killer.kills
            print(f"{killer.kills} kills, exit code {code}; {kills} of {KILLS}", file=sys.stderr)
            assert code in (0, 1)
            if code == 0:
                assert contents(stormy) == expected
                if kills < KILLS:
                    start_over(stormy)
        stormy.tools("local", "--system-tables", str(exports), timeout=3600)
        assert contents(stormy) == expected
    finally:
        stormy.tools("stop", check=False)


def start_over(platform: Platform) -> None:
    platform.tools("stop")
    shutil.rmtree(platform.folder)
    platform.folder.mkdir()
