"""What holds data, and who may see it."""

from __future__ import annotations

from typing import Any

from tests.infra.review.make_plans import Json, Scenario

COLUMNS = [{"name": "usage_date", "type": "date", "comment": "Day.", "nullable": False}]


def resources(**kinds: dict[str, Any]) -> Json:
    """Resources of Databricks: kind -> name -> body."""
    return {"resource": {f"databricks_{kind}": named for kind, named in kinds.items() if named}}


def table(**more: Any) -> Json:
    return {
        "catalog_name": "shop",
        "schema_name": "gold",
        "name": "fact_usage",
        "table_type": "MANAGED",
        "data_source_format": "DELTA",
        "column": COLUMNS,
        "warehouse_id": "w1",
        **more,
    }


def holders(**more: dict[str, Any]) -> Json:
    """One of each thing that holds data; more replaces some attributes, by kind."""
    bodies: dict[str, Json] = {
        "catalog": {"name": "shop", "comment": "All."},
        "schema": {
            "name": "gold",
            "catalog_name": "shop",
            "comment": "Gold.",
            "properties": {"owner": "platform_team"},
        },
        "volume": {
            "name": "artifacts",
            "catalog_name": "shop",
            "schema_name": "platform",
            "volume_type": "MANAGED",
        },
        "sql_table": table(),
        "registered_model": {"name": "detector", "catalog_name": "shop", "schema_name": "ml"},
    }
    return resources(
        **{kind: {"it": {**body, **more.get(kind, {})}} for kind, body in bodies.items()}
    )


KEEP = {"lifecycle": {"prevent_destroy": True}}
READERS = {"principal": "analysts", "privileges": ["SELECT", "USE_SCHEMA"]}
ENGINEERS = {"principal": "engineers", "privileges": ["MODIFY", "SELECT", "USE_SCHEMA"]}
# What only the API can say: a plan knows this name after apply.
NEW_GROUP = {"auditors": {"display_name": "auditors"}}


def grants(**lists: list[Json]) -> dict[str, Json]:
    return {name: {"schema": f"shop.{name}", "grant": grant} for name, grant in lists.items()}


GRANTED_BEFORE = grants(
    new_principal=[READERS],
    all_privileges=[READERS],
    everybody=[READERS],
    narrowed=[READERS, ENGINEERS],
    reordered=[READERS, ENGINEERS],
    unknown=[READERS],
)
GRANTED_AFTER = grants(
    new_principal=[ENGINEERS, READERS],
    all_privileges=[{**READERS, "privileges": ["ALL_PRIVILEGES"]}],
    everybody=[{"principal": "account users", "privileges": ["SELECT"]}, READERS],
    narrowed=[READERS],
    reordered=[ENGINEERS, READERS],
    unknown=[
        READERS,
        {"principal": "${databricks_group.auditors.acl_principal_id}", "privileges": ["SELECT"]},
    ],
)


def permission(job: str, level: str) -> Json:
    entry = {"group_name": "engineers", "permission_level": level}
    return {"job_id": job, "access_control": [entry]}


def granted(schemas: Json, levels: list[str], one: Json, group: Json) -> Json:
    """Grants of every form: of a securable, of one principal, of a workspace object."""
    raised, lowered = levels
    return resources(
        grants=schemas,
        grant=one,
        group=group,
        permissions={"raised": permission("1", raised), "lowered": permission("2", lowered)},
    )


def tag(entity: str, key: str, value: str) -> Json:
    return {
        "entity_type": "columns",
        "entity_name": f"shop.gold.{entity}",
        "tag_key": key,
        "tag_value": value,
    }


def policy(kind: str, **more: Any) -> Json:
    body: Json = {
        "name": f"protect_{kind}",
        "on_securable_type": "CATALOG",
        "on_securable_fullname": "shop",
        "policy_type": f"POLICY_TYPE_{kind}",
        "for_securable_type": "TABLE",
        "to_principals": ["account users"],
        "except_principals": ["admins"],
        "match_columns": [{"alias": "c", "condition": "hasTag('contains_pii')"}],
    }
    if kind == "COLUMN_MASK":
        body["column_mask"] = {"function_name": "shop.gold.mask", "on_column": "c"}
    else:
        body["row_filter"] = {"function_name": "shop.gold.own", "using": [{"alias": "c"}]}
    return {**body, **more}


ACCESS: dict[str, Scenario] = {
    "destroyed": Scenario(resources(directory={"d": {"path": "/x"}}), holders()),
    "replaced": Scenario(
        holders(
            catalog={"storage_root": "s3://b"},
            schema={"name": "golden"},
            volume={"schema_name": "gold"},
            sql_table={"name": "fact_use"},
            registered_model={"name": "finder"},
        ),
        holders(catalog={"storage_root": "s3://a"}),
    ),
    "force_destroy": Scenario(
        holders(catalog={"force_destroy": True}, schema={"comment": "Gold, checked."}), holders()
    ),
    "prevent_destroy": Scenario(
        holders(schema={"comment": "Gold, checked."}),
        holders(schema=KEEP, volume=KEEP, catalog=KEEP),
        keep_configuration=True,
    ),
    "granted": Scenario(
        granted(
            GRANTED_AFTER,
            ["CAN_MANAGE", "CAN_VIEW"],
            {"fresh": {"catalog": "shop", "principal": "guests", "privileges": ["BROWSE"]}},
            NEW_GROUP,
        ),
        granted(GRANTED_BEFORE, ["CAN_VIEW", "CAN_MANAGE"], {}, {}),
    ),
    "tags": Scenario(
        resources(
            entity_tag_assignment={
                "denied": tag("dim_user.phone", "contains_pii", "false"),
                "added": tag("dim_user.name", "contains_pii", "true"),
            }
        ),
        resources(
            entity_tag_assignment={
                "removed": tag("dim_user.email", "contains_pii", "true"),
                "denied": tag("dim_user.phone", "contains_pii", "true"),
                "domain": tag("dim_user.email", "domain", "access"),
            }
        ),
    ),
    # Needs a provider that knows databricks_policy_info.
    "policies": Scenario(
        resources(
            policy_info={
                "narrowed": policy("ROW_FILTER", except_principals=["admins", "interns"]),
                "other": policy("ROW_FILTER", comment="New words."),
            }
        ),
        resources(
            policy_info={
                "mask": policy("COLUMN_MASK"),
                "filter": policy("ROW_FILTER"),
                "narrowed": policy("ROW_FILTER"),
                "other": policy("ROW_FILTER"),
            }
        ),
    ),
}
