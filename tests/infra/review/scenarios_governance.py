"""What hides data and from whom, as the governance and pipelines stacks deploy it."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.infra.review.make_plans import Json, Scenario
from tests.infra.review.scenarios_access import resources

FOLDER = "/Shared/health_monitor/prod/definitions"
MASK = """comment: A pseudonym.
type: column_mask
column: {contains_pii: "true", pii_type: string}
to: [everybody]
exempt: [workspace_admins]
"""
FUNCTION = "CREATE OR REPLACE FUNCTION platform.mask(v STRING) RETURNS STRING RETURN SHA2(v, 256)\n"
PEOPLE = """comment: People.
columns:
  email: {type: string, contains_pii: true}
  phone:
    type: string
    contains_pii: true
  country:
    type: string
"""
GRANT = "comment: Read.\nto: domains\nprivileges: [SELECT]\ntables: [fact_*]\n"
ROLES = {"analysts": "all_analysts", "domains.billing": "finance"}


def files(**named: tuple[str, str]) -> dict[str, Json]:
    """Uploaded definitions: path below the folder and text, by name."""
    return {
        name: {
            "path": f"{FOLDER}/{path}",
            "content_base64": base64.b64encode(text.encode()).decode(),
        }
        for name, (path, text) in named.items()
    }


def job(roles: dict[str, str]) -> dict[str, Json]:
    parameters = {"catalog": "shop", "groups": json.dumps(roles)}
    task: dict[str, Any] = {
        "task_key": "run",
        "python_wheel_task": {
            "package_name": "health_monitor",
            "entry_point": "governance_deploy",
            "named_parameters": parameters,
        },
    }
    return {"deploys": {"name": "governance_deploy", "task": [task]}}


def governed(values: list[str]) -> Json:
    return {"tag_key": "contains_pii", "values": [{"name": value} for value in values]}


def binding(workspace: int) -> Json:
    return {"securable_name": "shop", "securable_type": "catalog", "workspace_id": workspace}


BEFORE = resources(
    workspace_file=files(
        removed=("policies/access/removed.yml", MASK),
        exempting=("policies/access/exempting.yml", MASK),
        stricter=("policies/access/stricter.yml", MASK),
        worded=("policies/access/worded.yml", MASK),
        retagged=("policies/access/retagged.yml", MASK),
        function=("policies/access/retagged.sql", FUNCTION),
        unmarked=("gold/access/unmarked.yml", PEOPLE),
        forgotten=("silver/access/forgotten.yml", PEOPLE),
        more=("grants/access/more.yml", GRANT),
        less=("grants/access/less.yml", GRANT),
        # Not one of ours: all that can be seen is that one of two equal lines is gone.
        lines=("../notes/pii.yml", "a:\n  contains_pii: true\nb:\n  contains_pii: true\n"),
    ),
    job=job(ROLES),
    catalog={"opened": {"name": "shop", "isolation_mode": "ISOLATED"}},
    workspace_binding={"home": binding(1)},
    tag_policy={"fewer": governed(["true", "unknown"]), "gone": {"tag_key": "row_owner"}},
)
AFTER = resources(
    workspace_file=files(
        exempting=("policies/access/exempting.yml", MASK.replace("_admins]", "_admins, analysts]")),
        stricter=("policies/access/stricter.yml", MASK.replace("exempt: [workspace_admins]\n", "")),
        worded=("policies/access/worded.yml", MASK.replace("A pseudonym", "Another name")),
        retagged=("policies/access/retagged.yml", MASK.replace("string", "int")),
        function=("policies/access/retagged.sql", FUNCTION.replace("SHA2(v, 256)", "v")),
        unmarked=(
            "gold/access/unmarked.yml",
            PEOPLE.replace("    contains_pii: true\n  country", "  country"),
        ),
        more=("grants/access/more.yml", GRANT.replace("[SELECT]", "[SELECT, MANAGE]")),
        less=("grants/access/less.yml", GRANT.replace("[fact_*]", "[fact_a]")),
        lines=("../notes/pii.yml", "a:\n  contains_pii: true\nb:\n"),
        new=("grants/access/new.yml", GRANT),
        marked=("gold/access/marked.yml", PEOPLE),
    ),
    job=job({**ROLES, "analysts": "everyone"}),
    catalog={"opened": {"name": "shop", "isolation_mode": "OPEN"}},
    workspace_binding={"home": binding(1), "elsewhere": binding(2)},
    tag_policy={"fewer": governed(["true"])},
)
GOVERNANCE: dict[str, Scenario] = {"governance": Scenario(AFTER, BEFORE)}
