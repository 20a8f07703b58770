"""How far each flow has read, kept so that a kill at any moment neither loses nor repeats rows.

The range of a batch is written down before the batch runs, and marked done after it: a rerun
takes the same range under the same batch number, and Delta refuses to append a number twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Position:
    """A version of one table; the id tells a table from another of the same name."""

    table_id: str
    version: int


@dataclass
class Checkpoint:
    """A flow's progress. A new generation starts with each full refresh."""

    generation: str = field(default_factory=lambda: uuid.uuid4().hex)
    batch: int = 0
    committed: dict[str, Position] = field(default_factory=dict)
    pending: dict[str, Position] | None = None

    def commit(self, ends: dict[str, Position]) -> None:
        """Count the batch as done up to these positions."""
        self.committed = {**self.committed, **ends}
        self.batch += 1
        self.pending = None


class CheckpointStore:
    """The checkpoints of one pipeline, a small file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, flow: str) -> Checkpoint | None:
        path = self._path("flows", flow)
        if not path.exists():
            return None
        body = json.loads(path.read_text(encoding="utf-8"))
        pending = body["pending"]
        return Checkpoint(
            generation=body["generation"],
            batch=body["batch"],
            committed=_positions(body["committed"]),
            pending=None if pending is None else _positions(pending),
        )

    def save(self, flow: str, checkpoint: Checkpoint) -> None:
        _write_atomically(self._path("flows", flow), json.dumps(asdict(checkpoint), indent=1))

    def forget(self, flow: str) -> None:
        self._path("flows", flow).unlink(missing_ok=True)

    def start_reset(self, dataset: str) -> None:
        """Note that a table is to be emptied before any of its flows may run again."""
        _write_atomically(self._path("resets", dataset), json.dumps({"dataset": dataset}))

    def is_resetting(self, dataset: str) -> bool:
        return self._path("resets", dataset).exists()

    def finish_reset(self, dataset: str) -> None:
        self._path("resets", dataset).unlink(missing_ok=True)

    def events_folder(self, flow: str, generation: str) -> Path:
        """Where the change events of an AUTO CDC flow are kept, as a Delta table."""
        return self._folder / "change_events" / _file_name(flow) / generation

    def _path(self, kind: str, name: str) -> Path:
        return self._folder / kind / f"{_file_name(name)}.json"


def _positions(body: dict[str, dict[str, str | int]]) -> dict[str, Position]:
    return {
        table: Position(str(place["table_id"]), int(place["version"]))
        for table, place in body.items()
    }


def _file_name(name: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:80]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def _write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    with draft.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
