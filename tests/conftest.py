"""What all rooms' tests share: one Spark server a session, a fresh session and state a test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.compute.spark_server import SparkServer
from emulator.settings import Settings

ROOT = Path(__file__).parent.parent
JARS = Path(os.environ.get("EMULATOR_JARS", ROOT / ".local" / "cache" / "jars"))


@pytest.fixture(scope="session")
def spark_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServer]:
    """A running Spark Connect server with an empty metastore."""
    server = SparkServer(Settings(state=tmp_path_factory.mktemp("workspace"), jars=JARS))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def spark(spark_server: SparkServer) -> Iterator[Any]:
    """A new Spark session on the shared server; tables outlive it, so name them per test."""
    from pyspark.sql.connect.session import SparkSession

    session = SparkSession.builder.remote(spark_server.url).create()
    yield session
    session.stop()
