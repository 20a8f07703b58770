"""Statement Execution API over a compute that answers what the test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from emulator.compute.spec import Column, QueryResult
from emulator.settings import Settings
from emulator.workspace.app import create_app
from emulator.workspace.context import Workspace
from emulator.workspace.statement_values import cell, parameter_values

API = "/api/2.0/sql/statements"


class FakeCompute:
    """Gives ``rows`` numbers, after ``gate`` opens."""

    def __init__(self) -> None:
        self.rows = 0
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def query(self, statement: str, **named: Any) -> QueryResult:
        self.calls.append((statement, named))
        self.gate.wait(30)
        if self.error:
            raise self.error
        return QueryResult([Column("n", "BIGINT", "LONG", 0)], [[n] for n in range(self.rows)])


@pytest.fixture
def compute(monkeypatch: pytest.MonkeyPatch) -> FakeCompute:
    fake = FakeCompute()
    monkeypatch.setattr(Workspace, "compute", fake)
    return fake


@pytest.fixture
def http(compute: FakeCompute, tmp_path: Path) -> Iterator[TestClient]:
    url = "http://127.0.0.1:1"
    app = create_app(Settings(tmp_path, tmp_path), "token", url=url)
    with TestClient(app, base_url=url, headers={"Authorization": "Bearer token"}) as client:
        yield client


@pytest.fixture
def warehouse(http: TestClient) -> str:
    return str(http.post("/api/2.0/sql/warehouses", json={"name": "w"}).json()["id"])


def _run(http: TestClient, warehouse: str, **body: Any) -> dict[str, Any]:
    sent = {"statement": "SELECT n", "warehouse_id": warehouse, **body}
    answer: dict[str, Any] = http.post(API, json=sent).json()
    return answer


def test_rows_come_in_chunks(http, warehouse, compute):
    compute.rows = 12_001
    answer = _run(http, warehouse)
    assert answer["manifest"]["total_row_count"] == 12_001
    assert [c["row_count"] for c in answer["manifest"]["chunks"]] == [5000, 5000, 2001]
    rows, chunk = list(answer["result"]["data_array"]), answer["result"]
    while "next_chunk_internal_link" in chunk:
        chunk = http.get(chunk["next_chunk_internal_link"]).json()
        rows += chunk["data_array"]
    assert rows == [[str(n)] for n in range(12_001)]
    beyond = http.get(f"{API}/{answer['statement_id']}/result/chunks/3")
    assert (beyond.status_code, beyond.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_external_links_need_no_token_but_their_signature(http, warehouse, compute):
    compute.rows = 3
    answer = _run(http, warehouse, disposition="EXTERNAL_LINKS", format="ARROW_STREAM")
    link = answer["result"]["external_links"][0]["external_link"]
    content = http.get(link, headers={"Authorization": ""})
    table = pa.ipc.open_stream(content.content).read_all()
    assert table.to_pydict() == {"n": [0, 1, 2]}
    forged = link[:-4] + ("0000" if not link.endswith("0000") else "1111")
    assert http.get(forged).status_code == 401


def test_a_slow_statement_is_asked_for_later(http, warehouse, compute):
    compute.gate.clear()
    answer = _run(http, warehouse, wait_timeout="0s")
    assert answer["status"]["state"] in ("PENDING", "RUNNING")
    assert "result" not in answer
    too_early = http.get(f"{API}/{answer['statement_id']}/result/chunks/0")
    assert too_early.json()["error_code"] == "INVALID_STATE"
    compute.rows = 1
    compute.gate.set()
    state = None
    while state != "SUCCEEDED":
        shown = http.get(f"{API}/{answer['statement_id']}").json()
        state = shown["status"]["state"]
        assert state in ("PENDING", "RUNNING", "SUCCEEDED")
    assert shown["result"]["data_array"] == [["0"]]


def test_cancel(http, warehouse, compute):
    compute.gate.clear()
    identity = _run(http, warehouse, wait_timeout="0s")["statement_id"]
    assert http.post(f"{API}/{identity}/cancel").json() == {}
    compute.gate.set()
    assert http.get(f"{API}/{identity}").json()["status"]["state"] == "CANCELED"


def test_failure_says_why_without_frames(http, warehouse, compute):
    plan = ";\n'Project ['nope]\n\nJVM stacktrace:\norg.apache.spark.Frame"
    compute.error = RuntimeError("[UNRESOLVED_COLUMN] no nope. SQLSTATE: 42703; line 1" + plan)
    status = _run(http, warehouse)["status"]
    assert status == {
        "state": "FAILED",
        "error": {
            "error_code": "BAD_REQUEST",
            "message": "[UNRESOLVED_COLUMN] no nope. SQLSTATE: 42703; line 1",
        },
    }


def test_byte_limit_cuts_and_says_so(http, warehouse, compute):
    compute.rows = 100
    answer = _run(http, warehouse, byte_limit=40)
    assert answer["manifest"]["truncated"] is True
    assert answer["result"]["data_array"] == [[str(n)] for n in range(10)]


def test_settings_reach_compute(http, warehouse, compute):
    named = [{"name": "d", "value": "2026-01-02", "type": "DATE"}, {"name": "none", "type": "INT"}]
    _run(http, warehouse, catalog="c", schema="s", row_limit=7, parameters=named)
    assert compute.calls == [
        (
            "SELECT n",
            {
                "args": {"d": date(2026, 1, 2), "none": None},
                "catalog": "c",
                "schema": "s",
                "row_limit": 7,
            },
        )
    ]


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"warehouse_id": "absent"}, 404, "warehouse"),
        ({"statement": ""}, 400, "statement"),
        ({"wait_timeout": "3s"}, 400, "wait_timeout"),
        ({"format": "ARROW_STREAM"}, 400, "EXTERNAL_LINKS"),
        ({"parameters": [{"name": "n", "value": "x", "type": "INT"}]}, 400, "n: 'x' is no INT"),
    ],
)
def test_wrong_requests(http, warehouse, compute, body, status, word):
    sent = {"statement": "SELECT n", "warehouse_id": warehouse, **body}
    answer = http.post(API, json=sent)
    assert answer.status_code == status
    assert word in answer.json()["message"]
    assert compute.calls == []


def test_a_statement_wakes_its_warehouse(http, warehouse, compute):
    http.post(f"/api/2.0/sql/warehouses/{warehouse}/stop")
    _run(http, warehouse)
    assert http.get(f"/api/2.0/sql/warehouses/{warehouse}").json()["state"] == "RUNNING"


@pytest.mark.parametrize(
    ("value", "type_name", "text"),
    [
        (None, "STRING", None),
        (True, "BOOLEAN", "true"),
        (Decimal("1.50"), "DECIMAL", "1.50"),
        (Decimal("0E-18"), "DECIMAL", "0.000000000000000000"),
        (float("inf"), "DOUBLE", "Infinity"),
        (date(2026, 1, 2), "DATE", "2026-01-02"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "TIMESTAMP", "2026-01-02T03:00:00.000Z"),
        (datetime(2026, 1, 2, 3), "TIMESTAMP_NTZ", "2026-01-02T03:00:00.000"),  # noqa: DTZ001
        ([1, None, "ä"], "ARRAY", '[1,null,"ä"]'),
        ({"p": Decimal("1.5"), "d": date(2026, 1, 2)}, "STRUCT", '{"p":"1.5","d":"2026-01-02"}'),
        (b"\x00\x01", "BINARY", "AAE="),
    ],
)
def test_cells(value, type_name, text):
    assert cell(value, type_name) == text


def test_parameters_have_their_types():
    sent = [
        {"name": "a", "value": "1.10", "type": "DECIMAL(10,2)"},
        {"name": "b", "value": "true", "type": "BOOLEAN"},
        {"name": "c", "value": "x"},
        {"name": "d", "value": "2026-01-02T03:04:05Z", "type": "TIMESTAMP"},
    ]
    assert parameter_values(sent) == {
        "a": Decimal("1.10"),
        "b": True,
        "c": "x",
        "d": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    }
