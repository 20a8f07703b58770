"""Lakehouse Monitoring: profile and drift tables of a monitored table."""

from emulator.services.monitoring.config import MonitorError
from emulator.services.monitoring.engine import refresh

__all__ = ["MonitorError", "refresh"]
