"""What the estimate of cost assumes, as a file says it."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from infra.review.assets import LOADER
from infra.review.plan_file import PlanError

DEFAULT = Path(__file__).with_name("cost_assumptions.yml")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Prices(_Part):
    """Money for a DBU."""

    serverless_sql: Decimal
    pro_sql: Decimal
    classic_sql: Decimal
    serverless_jobs: Decimal
    serverless_pipelines: Decimal
    model_serving: Decimal


class Busy(_Part):
    """How long things work; None: nobody knows, so it has no price."""

    warehouse_hours_per_month: Decimal | None
    more_clusters_share: Decimal
    endpoint_hours_per_month: Decimal | None
    job_task_minutes: Decimal | None
    job_task_dbus_per_hour: Decimal
    alert_minutes: Decimal | None
    pipeline_dbus_per_hour: Decimal | None


class Assumptions(_Part):
    """All figures of the estimate."""

    taken_on: datetime.date
    currency: str
    hours_per_month: Decimal
    price_per_dbu: Prices
    warehouse_dbus_per_hour: dict[str, Decimal]
    endpoint_dbus_per_hour: dict[str, Decimal]
    busy: Busy


def read_assumptions(path: Path = DEFAULT) -> Assumptions:
    """The assumptions of a file; PlanError names the file and the key that is wrong."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), LOADER)  # noqa: S506
    except OSError as error:
        raise PlanError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise PlanError(f"{path}: not valid YAML: {error}") from error
    try:
        return Assumptions.model_validate(document)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise PlanError(f"{path}: {'; '.join(lines)}") from error
