"""All scenarios by name: a file below plans/ each."""

from __future__ import annotations

from tests.infra.review.make_plans import Scenario
from tests.infra.review.scenarios_access import ACCESS
from tests.infra.review.scenarios_generic import GENERIC
from tests.infra.review.scenarios_governance import GOVERNANCE
from tests.infra.review.scenarios_watch import WATCH

SCENARIOS: dict[str, Scenario] = {**GENERIC, **ACCESS, **GOVERNANCE, **WATCH}
