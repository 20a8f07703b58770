"""Makes the plans of what changed outside: `python -m tests.infra.review.make_drift_plans`.

This needs a workspace: jobs and an alert are really deployed to the emulator and changed there by
hand. Then the same is planned with -refresh-only, and without.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from emulator.provider.install import environment as provider_variables
from tests.infra.review.make_plans import PLANS, Workshop
from tests.infra.review.scenarios_access import resources
from tests.infra.review.scenarios_watch import MAIL, alert, job
from tests.infra.test_infra_drift import workspace_server

WAREHOUSE = "${databricks_sql_endpoint.main.id}"
DEPLOYED = resources(
    notification_destination=MAIL,
    sql_endpoint={"main": {"name": "main", "cluster_size": "2X-Small"}},
    alert_v2={name: alert(name, warehouse_id=WAREHOUSE) for name in ("paused", "deleted")},
    job={"tags": job("tags"), "kept": job("kept")},
)


def call(http: httpx.Client, method: str, path: str, **request: Any) -> Any:
    answer = http.request(method, path, **request)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def change_by_hand(workspace: dict[str, str]) -> None:
    """A schedule is paused, an alert deleted, a tag taken away."""
    headers = {"Authorization": f"Bearer {workspace['DATABRICKS_TOKEN']}"}
    with httpx.Client(base_url=workspace["DATABRICKS_HOST"], headers=headers, timeout=60) as http:
        alerts = call(http, "GET", "/api/2.0/alerts")["alerts"]
        ids = {item["display_name"]: item["id"] for item in alerts}
        schedule = {"quartz_cron_schedule": "0 0 * * * ?", "timezone_id": "UTC"}
        paused = {"schedule": {**schedule, "pause_status": "PAUSED"}}
        mask = {"update_mask": "schedule"}
        call(http, "PATCH", f"/api/2.0/alerts/{ids['paused']}", json=paused, params=mask)
        call(http, "DELETE", f"/api/2.0/alerts/{ids['deleted']}")
        jobs = call(http, "GET", "/api/2.2/jobs/list", params={"name": "tags"})["jobs"]
        update = {"job_id": jobs[0]["job_id"], "new_settings": {"tags": {"owner": "nobody"}}}
        call(http, "POST", "/api/2.2/jobs/update", json=update)


def main() -> int:
    """Deploy, change by hand, plan twice."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with workspace_server(folder / "workspace") as workspace:
            offline = provider_variables(folder / "provider", Path(sys.executable))
            variables = {**os.environ, **offline, **workspace, "CHECKPOINT_DISABLE": "1"}
            (folder / "stack").mkdir()
            workshop = Workshop(folder / "stack", variables)
            workshop.configure(DEPLOYED)
            workshop.terraform("apply", "-auto-approve", "-input=false")
            change_by_hand(workspace)
            for name, options in (("drift", ["-refresh-only"]), ("drift_and_heal", [])):
                document = json.loads(workshop.plan(*options))
                document.pop("planned_values", None)
                document.pop("prior_state", None)
                (PLANS / f"{name}.json").write_text(json.dumps(document))
                print(f"{name}: {(PLANS / f'{name}.json').stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
