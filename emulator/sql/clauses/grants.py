"""GRANT, REVOKE, SHOW GRANTS."""

from __future__ import annotations

from emulator.sql.clauses.tags import securable
from emulator.sql.errors import SqlError, syntax_error
from emulator.sql.patterns import Match
from emulator.sql.plan import Context, Plan, Rows, fully_removed, require_end
from emulator.sql.tokens import Statement

_TABLE = {"SELECT", "MODIFY", "APPLY_TAG", "REFRESH", "MANAGE", "BROWSE", "ALL_PRIVILEGES"}
_FUNCTION = {"EXECUTE", "MANAGE", "ALL_PRIVILEGES"}
_VOLUME = {"READ_VOLUME", "WRITE_VOLUME", "APPLY_TAG", "MANAGE", "ALL_PRIVILEGES"}
_SCHEMA = {
    *_TABLE, *_FUNCTION, *_VOLUME, "USE_SCHEMA", "CREATE_TABLE", "CREATE_FUNCTION",
    "CREATE_MODEL", "CREATE_VOLUME", "CREATE_MATERIALIZED_VIEW", "CREATE_MODEL_VERSION",
    "EXTERNAL_USE_SCHEMA",
}  # fmt: skip
PRIVILEGES = {
    "catalog": {*_SCHEMA, "USE_CATALOG", "CREATE_SCHEMA"},
    "schema": _SCHEMA,
    "table": _TABLE,
    "function": _FUNCTION,
    "volume": _VOLUME,
}
_SECURABLES = {"CATALOG", "SCHEMA", "DATABASE", "TABLE", "VIEW", "FUNCTION", "VOLUME"}


def grant(match: Match, context: Context) -> Plan:
    """GRANT <privileges> ON [<kind>] <name> TO <principal>"""
    kind, name, principal, privileges = _read(match, "TO", context)
    return fully_removed(
        match.statement, lambda store: store.grants.add(kind, name, principal, privileges)
    )


def revoke(match: Match, context: Context) -> Plan:
    kind, name, principal, privileges = _read(match, "FROM", context)
    return fully_removed(
        match.statement, lambda store: store.grants.remove(kind, name, principal, privileges)
    )


def show_grants(match: Match, context: Context) -> Plan:
    """SHOW GRANTS [<principal>] ON [<kind>] <name>"""
    statement = match.statement
    index = match.end
    principal = None
    if statement.word(index) != "ON":
        principal, index = _principal(statement, index)
    kind, name, index = _target(statement, index, context)
    require_end(statement, index)
    rows = [
        (g.principal, g.privilege.replace("_", " "), g.securable_type.upper(), g.full_name)
        for g in context.catalog.grants.all(kind, name)
        if principal is None or g.principal == principal
    ]
    return Plan(rows=Rows(("Principal", "ActionType", "ObjectType", "ObjectKey"), rows))


def _read(match: Match, towards: str, context: Context) -> tuple[str, str, str, list[str]]:
    statement = match.statement
    privileges, index = _privileges(statement, match.end)
    kind, name, index = _target(statement, index, context)
    unknown = sorted(set(privileges) - PRIVILEGES[kind])
    if unknown:
        message = f"Privilege {unknown[0].replace('_', ' ')} is not applicable to {kind} {name}."
        raise SqlError("INVALID_PARAMETER_VALUE", message, "22023")
    if statement.word(index) != towards:
        raise syntax_error(statement.source(index, index + 1) or "end", f"Expected {towards}.")
    principal, index = _principal(statement, index + 1)
    require_end(statement, index)
    return kind, name, principal, privileges


def _privileges(statement: Statement, index: int) -> tuple[list[str], int]:
    privileges: list[str] = []
    words: list[str] = []
    while statement.word(index) not in ("ON", ""):
        if statement.word(index) == ",":
            privileges.append("_".join(words))
            words = []
        else:
            words.append(statement.word(index))
        index += 1
    privileges.append("_".join(words))
    return ["ALL_PRIVILEGES" if p == "ALL" else p for p in privileges], index


def _target(statement: Statement, index: int, context: Context) -> tuple[str, str, int]:
    if statement.word(index) != "ON":
        raise syntax_error(statement.source(index, index + 1) or "end", "Expected ON.")
    index += 1
    kind = "TABLE"
    if statement.word(index) in _SECURABLES and statement.is_name(index + 1):
        kind = statement.word(index)
        index += 1
    parts, index = statement.name(index)
    return (*securable(kind, parts, context), index)


def _principal(statement: Statement, index: int) -> tuple[str, int]:
    """A backticked or plain name; e-mail addresses must be backticked, as on Databricks."""
    if not statement.is_name(index):
        raise syntax_error(statement.source(index, index + 1) or "end", "Expected a principal.")
    return str(statement.tokens[index].text), index + 1
