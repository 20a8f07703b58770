"""The workspace's memory: what is found is what a look at every document would find."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.store import Document, Store

DOCUMENTS: list[Document] = [
    {"job_id": 7, "name": "a"},
    {"job_id": "7", "name": "b"},
    {"job_id": 8, "name": "it's", "nested": {"job_id": 7}},
    {"job_id": None, "name": None},
    {"name": "a"},
]


@pytest.mark.parametrize(
    "equals",
    [
        {},
        {"job_id": 7},
        {"job_id": "7"},
        {"job_id": 9},
        {"job_id": None},
        {"name": "it's"},
        {"name": None},
        {"job_id": 7, "name": "a"},
        {"job_id": 7, "name": "b"},
    ],
)
def test_documents_are_found_by_their_keys(
    tmp_path: Path, equals: dict[str, str | int | None]
) -> None:
    store = Store(tmp_path / "workspace.db")
    for number, document in enumerate(DOCUMENTS):
        store.put("run", str(number), document)
        store.put("other", str(number), document)
    store.put("run", "0", DOCUMENTS[0])
    expected = [d for d in DOCUMENTS if all(d.get(k) == v for k, v in equals.items())]
    assert store.find("run", **equals) == expected
