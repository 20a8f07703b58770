"""Set-up: packages, the cdktf command and the Delta jars, once, below one ignored folder.

Runs before anything is installed, so it needs the standard library only. A step is skipped when
the files that it was made from have not changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.prerequisites import problems

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
CACHE = LOCAL / "cache"
VENV = CACHE / "venv"
NODE = CACHE / "node"
JARS = CACHE / "jars"
SETUP_SECONDS = LOCAL / "setup-seconds"

PIPENV = "pipenv==2026.10.3"
DELTA = "io.delta:delta-spark_4.2_2.13:4.4.0"
DELTA_GROUPS = ("io.delta_", "io.unitycatalog_", "org.locationtech.jts_")
SPARK_HAS_ALREADY = (
    "org.apache.hadoop:hadoop-client-api",
    "org.apache.hadoop:hadoop-client-runtime",
    "com.github.luben:zstd-jni",
    "org.xerial.snappy:snappy-java",
    "org.apache.logging.log4j:log4j-core",
)


class SetupError(Exception):
    """A set-up step failed; the message says which, and where its output is."""


def main() -> int:
    """Set everything up; 0 when it is, 1 with one message when it cannot be."""
    found = problems()
    if found:
        print("This machine lacks what the set-up needs:", file=sys.stderr)
        for line in found:
            print(f"  {line}", file=sys.stderr)
        return 1
    started = time.monotonic()
    try:
        # npm and pip wait for different registries and disks: together they take as long as pip.
        with ThreadPoolExecutor() as pool:
            steps = [
                pool.submit(_step, "Python packages", "Pipfile.lock", install_packages),
                pool.submit(_step, "cdktf command", "package-lock.json", install_cdktf),
            ]
            for step in steps:
                step.result()
        _step("Delta jars", "tools/setup.py", fetch_jars)
    except SetupError as error:
        print(f"Set-up failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nSet-up stopped; run it again to go on.", file=sys.stderr)
        return 130
    SETUP_SECONDS.write_text(f"{time.monotonic() - started:.1f}\n")
    return 0


def install_packages() -> None:
    """The locked Python packages, by Pipenv, into a virtual environment of the project."""
    manager = CACHE / "pipenv"
    _run("pipenv", [sys.executable, "-m", "venv", str(manager)])
    _run("pipenv", [str(manager / "bin" / "pip"), "install", "--quiet", PIPENV])
    _run("packages", [sys.executable, "-m", "venv", str(VENV)])
    environment = {
        **os.environ,
        "VIRTUAL_ENV": str(VENV),
        "PIPENV_VERBOSITY": "-1",
        # A minute, mostly for modules that nothing imports; the others are compiled on first use.
        "PIP_COMPILE": "0",
    }
    _run("packages", [str(manager / "bin" / "pipenv"), "sync", "--dev"], environment)


def install_cdktf() -> None:
    """The locked cdktf-cli, by npm."""
    NODE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(ROOT / name, NODE / name)
    _run("cdktf", ["npm", "ci", "--no-audit", "--no-fund", "--prefix", str(NODE)])


def fetch_jars() -> None:
    """Delta Lake and what it needs beyond Spark itself, by Spark's own package resolver."""
    ivy = CACHE / "ivy"
    probe = CACHE / "jars-probe.py"
    probe.write_text("print('resolved')\n")
    spark = next((VENV / "lib").glob("python3.*/site-packages/pyspark"))
    command = [
        str(spark / "bin" / "spark-submit"),
        "--master=local[1]",
        f"--packages={DELTA}",
        f"--exclude-packages={','.join(SPARK_HAS_ALREADY)}",
        f"--conf=spark.jars.ivy={ivy}",
        "--conf=spark.ui.enabled=false",
        str(probe),
    ]
    python = str(VENV / "bin" / "python")
    environment = {**os.environ, "SPARK_HOME": str(spark), "PYSPARK_PYTHON": python}
    _run("jars", command, {**environment, "PYSPARK_DRIVER_PYTHON": python})
    JARS.mkdir(parents=True, exist_ok=True)
    for jar in (ivy / "jars").glob("*.jar"):
        if jar.name.startswith(DELTA_GROUPS):
            shutil.copy(jar, JARS / jar.name)
    shutil.rmtree(ivy)
    probe.unlink()


def _step(title: str, source: str, action: Callable[[], None]) -> None:
    """Run one step unless it was done from this very source; say how long it took."""
    stamp = CACHE / f"{title.replace(' ', '-').lower()}.done"
    digest = hashlib.sha256((ROOT / source).read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        print(f"  {title}: ready", flush=True)
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    print(f"  {title}: installing ...", flush=True)
    started = time.monotonic()
    action()
    stamp.write_text(digest)
    print(f"  {title}: installed in {time.monotonic() - started:.0f} s", flush=True)


def _run(name: str, command: list[str], environment: dict[str, str] | None = None) -> None:
    log = CACHE / f"{name}.log"
    with log.open("w") as output:
        result = subprocess.run(
            command, stdout=output, stderr=output, env=environment, cwd=ROOT, check=False
        )
    if result.returncode != 0:
        tail = "\n".join(log.read_text().splitlines()[-15:])
        raise SetupError(f"{name} ({command[0]} exited with {result.returncode})\n{tail}\n{log}")


if __name__ == "__main__":
    sys.exit(main())
