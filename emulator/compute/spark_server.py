"""One Spark Connect server on loopback: started when first needed, stopped with its owner.

Spark Connect is what Databricks serverless offers its notebooks, so code that reaches for the
JVM fails here as it does there; and every task can be a process of its own.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pyspark

from emulator.compute.guard import guarded
from emulator.compute.java import JavaMissingError, require_java
from emulator.compute.sizing import settings_for
from emulator.settings import Settings

START_SECONDS = 120
# To optimize takes a core that the first statements need, and without it all others take longer.
# Five times Java's own thresholds. The sweeper of compiled code, which has room enough, would never
# rest (docs/decisions/0020-java-optimizes-late.md).
_COMPILER_OPTIONS = (
    "-XX:Tier4InvocationThreshold=25000 -XX:Tier4MinInvocationThreshold=3000 "
    "-XX:Tier4CompileThreshold=75000 -XX:Tier4BackEdgeThreshold=200000 "
    "-XX:SweeperThreshold=5"
)
# Java looks for a class in one jar after the other, of 280. Hive asks anew in every thread where
# its own is and what Hadoop's defaults are; most of what else is asked for is in the other three.
_FIRST_JARS = ("hive-common", "hadoop-client-api", "spark-catalyst", "spark-sql", "scala-library")
FOREIGN_VARIABLES = ("SPARK_", "PYSPARK_", "PYTHONPATH", "DATABRICKS_", "MLFLOW_")


class SparkStartError(RuntimeError):
    """Spark did not start; the message says why and where its log is."""


@dataclass
class SparkServer:
    """Starts, watches and stops one Spark; its tables live below ``settings.state``."""

    settings: Settings
    memory: str = "6g"
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    java: psutil.Process | None = None
    log_start: int = 0

    @property
    def url(self) -> str:
        return f"sc://localhost:{self.port}/;token={self.token}"

    @property
    def log(self) -> Path:
        return self.settings.logs / "spark.log"

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start Spark and wait until its port answers; SparkStartError otherwise."""
        try:
            require_java()
        except JavaMissingError as error:
            raise SparkStartError(str(error)) from error
        for folder in (self.settings.logs, self.settings.warehouse, self.settings.metastore):
            folder.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        with self.log.open("ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                guarded(self._command()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                cwd=self.settings.state,
                start_new_session=True,
            )
        self._wait_until_ready()
        self.java = next(iter(psutil.Process(self.process.pid).children()), None)

    def stop(self) -> None:
        """End Spark and all its workers."""
        if self.process is None:
            return
        family = _family(self.process.pid)
        if self.java is not None and self.java.is_running():
            family += [member for member in _family(self.java.pid) if member not in family]
        for member in family:
            _quietly(member.terminate)
        _, alive = psutil.wait_procs(family, timeout=10)
        for member in alive:
            _quietly(member.kill)
        self.process.wait()
        self.process = None

    def why_it_ended(self) -> str:
        """The reason in Spark's own words where its log has one, else its exit code."""
        code = self.process.poll() if self.process is not None else None
        with self.log.open("rb") as log:
            log.seek(max(self.log_start, self.log.stat().st_size - 200_000))
            tail = log.read().decode(errors="replace")
        known = _DEATHS.findall(tail)
        reason = known[-1].strip() if known else _exit_reason(code)
        return f"{reason} (Spark's log: {self.log})"

    def _environment(self) -> dict[str, str]:
        # What the owner's shell says about Spark or a real workspace must not reach this one.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN_VARIABLES)}
        return {
            **kept,
            "SPARK_HOME": str(Path(pyspark.__file__).parent),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_CONNECT_AUTHENTICATE_TOKEN": self.token,
            "TZ": "UTC",
        }

    def _command(self) -> list[str]:
        launcher = Path(pyspark.__file__).parent / "bin" / "spark-submit"
        settings = [f"--conf={key}={value}" for key, value in self._configuration().items()]
        server = "org.apache.spark.sql.connect.service.SparkConnectServer"
        return [
            str(launcher),
            "--class",
            server,
            "--master=local[2]",
            f"--driver-memory={self.memory}",
            *settings,
            "spark-internal",
        ]

    def _configuration(self) -> dict[str, str]:
        java_options = (
            f"-XX:+UseParallelGC -XX:ReservedCodeCacheSize=512m {_COMPILER_OPTIONS} "
            "-XX:+ExitOnOutOfMemoryError "
            "-Duser.timezone=UTC "
            f"-Dderby.system.home={self.settings.metastore}"
        )
        return {
            "spark.driver.extraClassPath": ":".join((*_first_jars(), f"{self.settings.jars}/*")),
            "spark.driver.extraJavaOptions": java_options,
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.sql.catalogImplementation": "hive",
            "spark.sql.warehouse.dir": str(self.settings.warehouse),
            "spark.sql.sources.default": "delta",
            "spark.sql.session.timeZone": "UTC",
            "spark.databricks.delta.merge.materializeSource": "all",
            "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
            "spark.sql.adaptive.enabled": "false",
            "spark.databricks.delta.snapshotPartitions": "1",
            # Times as INT96, Spark's own way, have no minimum and maximum in Parquet.
            "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
            "spark.scheduler.mode": "FAIR",
            "spark.log.level": "WARN",
            **settings_for(self.settings.warehouse),
            "spark.sql.connect.serverStacktrace.enabled": "false",
            "spark.sql.pyspark.jvmStacktrace.enabled": "false",
            "spark.ui.enabled": "false",
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(self.port),
        }

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.is_running():
                raise SparkStartError(f"Spark ended while starting: {self.why_it_ended()}")
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.2)
        self.stop()
        raise SparkStartError(f"Spark did not answer within {START_SECONDS} s; see {self.log}")


_DEATHS = re.compile(
    r"Terminating due to java\.lang\.OutOfMemoryError.*"
    r"|.*There is insufficient memory for the Java Runtime.*"
    r"|.*No space left on device.*"
    r"|.*Another instance of Derby may have already booted.*"
    r"|.*Address already in use.*"
)


def _first_jars() -> list[str]:
    jars = Path(pyspark.__file__).parent / "jars"
    return [str(jar) for name in _FIRST_JARS for jar in sorted(jars.glob(f"{name}[-_][0-9]*.jar"))]


def _exit_reason(code: int | None) -> str:
    if code == 137:
        return "its process was killed (SIGKILL; by the system when memory runs out)"
    return f"its process ended with exit code {code}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _quietly(action: Callable[[], object]) -> None:
    try:
        action()
    except psutil.NoSuchProcess:
        return
