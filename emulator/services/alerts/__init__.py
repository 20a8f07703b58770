"""SQL alerts: a query, a comparison, a state, and notifications that are written but never sent."""

from emulator.services.alerts.evaluator import Evaluation, evaluate
from emulator.services.alerts.service import AlertService

__all__ = ["AlertService", "Evaluation", "evaluate"]
