"""One Spark Connect server on loopback: started when first needed, stopped with its owner.

Spark Connect is what Databricks serverless offers its notebooks, so code that reaches for the
JVM fails here as it does there; and every task can be a process of its own.
"""

from __future__ import annotations

import os
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

from emulator.settings import Settings

START_SECONDS = 120


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
        for folder in (self.settings.logs, self.settings.warehouse, self.settings.metastore):
            folder.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        environment = {
            **os.environ,
            "SPARK_HOME": str(Path(pyspark.__file__).parent),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_CONNECT_AUTHENTICATE_TOKEN": self.token,
            "TZ": "UTC",
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.settings.state,
                start_new_session=True,
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """End Spark and all its workers."""
        if self.process is None:
            return
        family = _family(self.process.pid)
        for member in family:
            _quietly(member.terminate)
        _, alive = psutil.wait_procs(family, timeout=10)
        for member in alive:
            _quietly(member.kill)
        self.process.wait()
        self.process = None

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
            "-XX:+UseParallelGC -XX:TieredStopAtLevel=1 -Duser.timezone=UTC "
            f"-Dderby.system.home={self.settings.metastore}"
        )
        return {
            "spark.driver.extraClassPath": f"{self.settings.jars}/*",
            "spark.driver.extraJavaOptions": java_options,
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.sql.catalogImplementation": "hive",
            "spark.sql.warehouse.dir": str(self.settings.warehouse),
            "spark.sql.sources.default": "delta",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
            "spark.sql.adaptive.enabled": "false",
            "spark.databricks.delta.snapshotPartitions": "1",
            "spark.scheduler.mode": "FAIR",
            "spark.ui.enabled": "false",
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(self.port),
        }

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.is_running():
                raise SparkStartError(f"Spark ended while starting; see {self.log}")
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.2)
        self.stop()
        raise SparkStartError(f"Spark did not answer within {START_SECONDS} s; see {self.log}")


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
