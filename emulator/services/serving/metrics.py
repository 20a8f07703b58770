"""How often an endpoint was asked, and how fast it answered; kept in the Store for its page."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from emulator.store import Store

KIND = "serving_metrics"
RECENT = 1000
SAVE_SECONDS = 1.0


class Metrics:
    """Counts since the endpoint was made; percentiles over the last requests."""

    def __init__(self, store: Store, name: str) -> None:
        saved = store.get(KIND, name) or {}
        self._store = store
        self._name = name
        self._requests = int(saved.get("requests", 0))
        self._errors = int(saved.get("errors", 0))
        self._last = saved.get("last_request_ms")
        self._recent: deque[float] = deque(saved.get("recent_ms", []), maxlen=RECENT)
        self._saved_at = 0.0
        self._lock = threading.Lock()

    def add(self, milliseconds: float, *, failed: bool) -> None:
        with self._lock:
            self._requests += 1
            self._errors += failed
            self._recent.append(round(milliseconds, 2))
            self._last = int(time.time() * 1000)
            due = time.monotonic() - self._saved_at > SAVE_SECONDS
        if due:
            self.save()

    def save(self) -> None:
        with self._lock:
            self._saved_at = time.monotonic()
            document = self._document()
        self._store.put(KIND, self._name, document)

    def _document(self) -> dict[str, Any]:
        ordered = sorted(self._recent)
        return {
            "name": self._name,
            "requests": self._requests,
            "errors": self._errors,
            "last_request_ms": self._last,
            "p50_ms": _percentile(ordered, 0.50),
            "p95_ms": _percentile(ordered, 0.95),
            "recent_ms": list(self._recent),
        }


def _percentile(ordered: list[float], share: float) -> float | None:
    """The smallest value that at least this share of the values does not exceed."""
    if not ordered:
        return None
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
