"""Several threads bring datasets up to date: each dataset once, by one of them."""

from __future__ import annotations

import threading


class CircleError(Exception):
    """Waiting for a dataset would never end: it waits for what the waiting thread has begun."""


class Turns:
    """Who updates which dataset, and how it ended."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._outcomes: dict[str, bool] = {}
        self._owners: dict[str, int] = {}
        self._awaited: dict[int, str] = {}

    def take(self, key: str) -> bool | None:
        """How a dataset's update ended, waiting for it; None when it is the caller's to do.

        CircleError when the caller, or a thread that waits for it, has begun that dataset.
        """
        me = threading.get_ident()
        with self._changed:
            while key not in self._outcomes:
                if key not in self._owners:
                    self._owners[key] = me
                    return None
                self._refuse_circle(key, me)
                self._awaited[me] = key
                self._changed.wait()
                del self._awaited[me]
            return self._outcomes[key]

    def finish(self, key: str, *, succeeded: bool) -> None:
        """The dataset is up to date, or could not be brought there."""
        with self._changed:
            self._outcomes[key] = succeeded
            self._changed.notify_all()

    def _refuse_circle(self, key: str, me: int) -> None:
        wanted: str | None = key
        while wanted is not None and wanted not in self._outcomes:
            owner = self._owners[wanted]
            if owner == me:
                raise CircleError(key)
            wanted = self._awaited.get(owner)
