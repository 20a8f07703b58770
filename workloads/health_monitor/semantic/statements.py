"""The statements that make functions and metric views."""

from __future__ import annotations

from typing import Any

import yaml

from health_monitor.runtime import full_name
from health_monitor.spec import Function, MetricView, qualify


def create_function(definition: Function, catalog: str) -> str:
    """The statement of the definition, with the catalog before every name."""
    return qualify(definition.sql, catalog).strip().rstrip(";")


def create_metric_view(definition: MetricView, catalog: str) -> str:
    """CREATE OR REPLACE VIEW ... WITH METRICS, its YAML as Databricks takes it."""
    body = definition.model_dump(
        exclude={"kind", "domain", "name", "path"}, exclude_none=True, exclude_defaults=True
    )
    body["source"] = qualify(definition.source, catalog)
    for join in body.get("joins", []):
        join["source"] = qualify(join["source"], catalog)
    text = yaml.dump(
        body, Dumper=_MetricViewDumper, sort_keys=False, width=10_000, allow_unicode=True
    )
    name = full_name(catalog, definition.view)
    return f"CREATE OR REPLACE VIEW {name}\nWITH METRICS\nLANGUAGE YAML\nAS $$\n{text}$$"


class _MetricViewDumper(yaml.SafeDumper):
    """Quotes keys that YAML 1.1 would read as truth values, and repeats instead of pointing."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
