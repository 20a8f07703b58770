"""The only place that builds a name: what Databricks shows, and what Terraform calls it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.environment import Environment

PRODUCT = "health_monitor"
SCHEMAS = {
    "bronze": "System tables, as they were read",
    "silver": "Checked rows, and the rows that broke a rule",
    "gold": "Facts, dimensions, summaries and functions for analysts",
    "gold_monitoring": "Profile and drift of gold tables",
    "ml": "Registered models",
    "platform": "The platform's own: the wheel of its jobs, what they note, what hides data",
}
ARTIFACTS_VOLUME = "artifacts"


def logical_id(kind: str, name: str) -> str:
    """The Terraform name of a resource, and the id of its construct in the stack."""
    return f"{kind}_{name}"


@dataclass(frozen=True)
class Naming:
    """Physical names in one environment."""

    environment: Environment

    @property
    def catalog(self) -> str:
        return self.environment.catalog

    def stack(self, stack: str) -> str:
        # With the environment, so that one environment's Terraform folder never meets the state
        # of another.
        return f"{stack}-{self.environment.name}"

    def job(self, name: str) -> str:
        return self._in_workspace(name)

    def pipeline(self, name: str) -> str:
        return self._in_workspace(name)

    def warehouse(self, name: str) -> str:
        return self._in_workspace(name)

    def endpoint(self, model: str) -> str:
        return self._in_workspace(model)

    def _in_workspace(self, name: str) -> str:
        # A workspace may hold several environments.
        return f"{PRODUCT}_{self.environment.name}_{name}"

    def title(self, text: str) -> str:
        """What people read: a dashboard, an alert, a notification destination."""
        return f"[Health Monitor {self.environment.name}] {text}"

    def schema(self, schema: str) -> str:
        return f"{self.catalog}.{schema}"

    def table(self, two_parts: str) -> str:
        return f"{self.catalog}.{two_parts}"

    def volume_path(self, file: str) -> str:
        return f"/Volumes/{self.catalog}/platform/{ARTIFACTS_VOLUME}/{file}"

    @property
    def folder(self) -> str:
        """The workspace folder of this environment, as Terraform writes it."""
        return f"/Shared/{PRODUCT}/{self.environment.name}"

    @property
    def definitions(self) -> str:
        """The folder of the definitions, as code in the workspace sees it."""
        return f"/Workspace{self.folder}/definitions"

    def definition_file(self, path: str) -> str:
        return f"{self.folder}/definitions/{path}"

    def notebook(self, path: str) -> str:
        return f"{self.folder}/notebooks/{PurePosixPath(path).with_suffix('')}"

    def experiment(self, model: str) -> str:
        return f"{self.folder}/{model}"

    def model(self, model: str) -> str:
        return f"{self.catalog}.ml.{model}"

    def monitor_assets(self, table: str) -> str:
        return f"/Workspace{self.folder}/monitors/{table}"
