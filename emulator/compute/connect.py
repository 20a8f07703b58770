"""Opens sessions on the Spark Connect server."""

from __future__ import annotations

from typing import Any

CONNECT_USER = "emulator"


def session_url(url: str, session_id: str | None = None) -> str:
    """The server's address with who asks, and for which session."""
    suffix = f";session_id={session_id}" if session_id else ""
    return f"{url};user_id={CONNECT_USER}{suffix}"


def open_session(url: str, session_id: str | None = None) -> Any:
    """A new session (or the one with this id). It gives up soon when the server is gone."""
    from pyspark.sql.connect.session import SparkSession

    session = SparkSession(connection=session_url(url, session_id))
    _give_up_soon(session)
    return session


def _give_up_soon(session: Any) -> None:
    # PySpark waits ten minutes for a server to come back; a server on loopback that does not
    # answer is dead, and the next one has another port.
    from pyspark.sql.connect.client.retries import DefaultPolicy

    policy = DefaultPolicy(max_retries=3, initial_backoff=100, max_backoff=500, jitter=50)
    session.client.set_retry_policies([policy])
