"""``databricks_sql_table``: DDL through the Statement Execution API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from emulator.provider.client import Api, ApiFault, quoted
from emulator.provider.kinds.base import Body, Incomplete, Resource, State, UserError, wait_for
from emulator.provider.values import UNKNOWN

_STATEMENTS = "/api/2.0/sql/statements"


class SqlTable(Resource):
    """A table or view; columns are matched by name."""

    def validate(self, config: State) -> None:
        if config.get("warehouse_id") is None:
            raise UserError(
                "no warehouse",
                "This provider runs DDL on a SQL warehouse only: set warehouse_id.",
                ["warehouse_id"],
            )

    def customize(self, planned: State, prior: State | None, config: State) -> None:
        if prior is None:
            return
        # The API's own column facts go with the name, not with the position.
        before = {column["name"]: column for column in prior["column"]}
        given = config["column"] if isinstance(config.get("column"), list) else []
        for column, own in zip(planned["column"], given, strict=False):
            old = before.get(column["name"], {})
            for fact in ("type", "type_json"):
                if own.get(fact) is None:
                    column[fact] = old.get(fact)

    def replaces(self, prior: State, planned: State) -> list[str]:
        before = {column["name"]: column for column in prior["column"]}
        for column in planned["column"]:
            old = before.get(column["name"])
            if old and UNKNOWN not in (column["type"], old["type"]) and not _same_type(old, column):
                return ["column"]
        return []

    def create(self, api: Api, planned: State) -> str:
        self._run(api, planned, _create_statement(planned))
        identity = f"{planned['catalog_name']}.{planned['schema_name']}.{planned['name']}"
        if planned.get("owner") not in (None, UNKNOWN):
            try:
                self._run(api, planned, _owner_statement(planned))
            except (ApiFault, UserError) as error:
                raise Incomplete(identity, error) from error
        return identity

    def read(self, api: Api, identity: str, state: State) -> Body | None:
        body = api.get(f"/api/2.1/unity-catalog/tables/{quoted(identity)}")
        properties = body.get("properties") or {}
        own = state.get("properties") or {}
        kept = {name: value for name, value in properties.items() if name in own}
        return {**body, "properties": kept, "effective_properties": properties}

    def update(self, api: Api, identity: str, prior: State, planned: State) -> str:
        for statement in _alterations(prior, planned):
            self._run(api, planned, statement)
        return identity

    def delete(self, api: Api, identity: str, state: State) -> None:
        try:
            self._run(api, state, f"DROP {_noun(state)} IF EXISTS {_name(state)}")
        except ApiFault as fault:
            # The schema or the warehouse may be gone first; then the table's own API can tell.
            if not fault.gone:
                raise
            api.call("DELETE", f"/api/2.1/unity-catalog/tables/{quoted(identity)}")

    def _run(self, api: Api, values: State, statement: str) -> None:
        body = {
            "warehouse_id": values["warehouse_id"],
            "statement": statement,
            "wait_timeout": "50s",
            "on_wait_timeout": "CONTINUE",
        }
        answer = api.post(_STATEMENTS, body)
        path = f"{_STATEMENTS}/{quoted(answer['statement_id'])}"

        def ended() -> bool:
            nonlocal answer
            if answer["status"]["state"] in ("PENDING", "RUNNING"):
                answer = api.get(path)
            return answer["status"]["state"] not in ("PENDING", "RUNNING")

        wait_for(ended, f"the statement {statement!r}")
        if answer["status"]["state"] != "SUCCEEDED":
            error = answer["status"].get("error", {})
            code = str(error.get("error_code", answer["status"]["state"]))
            message = str(error.get("message", "the statement did not succeed"))
            raise ApiFault(400, code, f"{message}\n\nStatement: {statement}")


def _same_type(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return _canonical_type(one["type"]) == _canonical_type(other["type"])


def _canonical_type(text: str | None) -> str:
    name = "".join((text or "").lower().split())
    return {"integer": "int", "long": "bigint", "real": "float"}.get(name, name)


def _is_view(values: State) -> bool:
    return str(values["table_type"]).upper() == "VIEW"


def _noun(values: State) -> str:
    return "VIEW" if _is_view(values) else "TABLE"


def _name(values: State) -> str:
    return ".".join(_quote(values[part]) for part in ("catalog_name", "schema_name", "name"))


def _quote(identifier: str) -> str:
    return "`" + identifier.replace("`", "``") + "`"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _column(column: dict[str, Any], with_type: bool = True) -> str:
    parts = [_quote(column["name"])]
    if with_type:
        parts.append(str(column["type"]))
        if column.get("nullable") is False:
            parts.append("NOT NULL")
    if column.get("comment"):
        parts.append(f"COMMENT {_text(column['comment'])}")
    return " ".join(parts)


def _clustering(keys: list[str] | None) -> str:
    if not keys:
        return "CLUSTER BY NONE"
    if [key.upper() for key in keys] in (["AUTO"], ["NONE"]):
        return f"CLUSTER BY {keys[0].upper()}"
    return f"CLUSTER BY ({', '.join(map(_quote, keys))})"


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{_text(key)} = {_text(value)}" for key, value in sorted(values.items()))


def _create_statement(planned: State) -> str:
    view = _is_view(planned)
    external = str(planned["table_type"]).upper() == "EXTERNAL"
    parts = [f"CREATE {'EXTERNAL ' if external else ''}{_noun(planned)} {_name(planned)}"]
    if planned["column"]:
        columns = ", ".join(_column(column, with_type=not view) for column in planned["column"])
        parts.append(f"({columns})")
    if planned.get("data_source_format") and not view:
        parts.append(f"USING {planned['data_source_format']}")
    partitions = planned.get("partitions")
    if isinstance(partitions, list) and partitions:
        parts.append(f"PARTITIONED BY ({', '.join(map(_quote, partitions))})")
    if planned.get("cluster_keys"):
        parts.append(_clustering(planned["cluster_keys"]))
    if planned.get("comment"):
        parts.append(f"COMMENT {_text(planned['comment'])}")
    if planned.get("properties"):
        parts.append(f"TBLPROPERTIES ({_pairs(planned['properties'])})")
    if planned.get("options"):
        parts.append(f"OPTIONS ({_pairs(planned['options'])})")
    if planned.get("storage_location") not in (None, UNKNOWN, ""):
        parts.append(f"LOCATION {_text(planned['storage_location'])}")
    if view:
        parts.append(f"AS {planned['view_definition']}")
    return " ".join(parts)


def _owner_statement(planned: State) -> str:
    return f"ALTER {_noun(planned)} {_name(planned)} OWNER TO {_quote(planned['owner'])}"


def _alterations(prior: State, planned: State) -> Iterator[str]:
    """The statements that make the table what is planned."""
    alter = f"ALTER {_noun(planned)} {_name(planned)}"
    if prior.get("view_definition") != planned.get("view_definition"):
        yield f"{alter} AS {planned['view_definition']}"
    if (prior.get("comment") or "") != (planned.get("comment") or ""):
        comment = _text(planned.get("comment") or "")
        yield f"COMMENT ON {_noun(planned)} {_name(planned)} IS {comment}"
    if prior.get("cluster_keys") != planned.get("cluster_keys"):
        yield f"{alter} {_clustering(planned.get('cluster_keys'))}"
    if planned.get("owner") not in (None, UNKNOWN, prior.get("owner")):
        yield _owner_statement(planned)
    old, new = prior.get("properties") or {}, planned.get("properties") or {}
    changed = {key: value for key, value in new.items() if old.get(key) != value}
    if changed:
        yield f"{alter} SET TBLPROPERTIES ({_pairs(changed)})"
    if old.keys() - new.keys():
        gone = ", ".join(_text(key) for key in sorted(old.keys() - new.keys()))
        yield f"{alter} UNSET TBLPROPERTIES IF EXISTS ({gone})"
    if not _is_view(planned):
        yield from _column_alterations(alter, prior["column"], planned["column"])


def _column_alterations(
    alter: str, prior: list[dict[str, Any]], planned: list[dict[str, Any]]
) -> Iterator[str]:
    before = {column["name"]: column for column in prior}
    names = {column["name"] for column in planned}
    for column in planned:
        old = before.get(column["name"])
        if old is None:
            yield f"{alter} ADD COLUMN {_column({**column, 'nullable': True})}"
            continue
        change = f"{alter} ALTER COLUMN {_quote(column['name'])}"
        if (old.get("comment") or "") != (column.get("comment") or ""):
            yield f"{change} COMMENT {_text(column.get('comment') or '')}"
        if (old.get("nullable") is False) != (column.get("nullable") is False):
            yield f"{change} {'SET' if column.get('nullable') is False else 'DROP'} NOT NULL"
    # Last, for a table without column mapping refuses it.
    for name in sorted(before.keys() - names):
        yield f"{alter} DROP COLUMN {_quote(name)}"
