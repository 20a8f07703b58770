"""CREATE, DROP and SHOW POLICIES: attribute-based row filters and column masks.

Policies are kept and shown, not enforced: everybody in this workspace is its administrator.
"""

from __future__ import annotations

from typing import Any

from emulator.sql.clauses.abac_conditions import require_condition
from emulator.sql.clauses.tags import securable
from emulator.sql.errors import SqlError, syntax_error
from emulator.sql.patterns import Match
from emulator.sql.plan import Context, Plan, Rows, fully_removed, require_end
from emulator.sql.records import Policy
from emulator.sql.tokens import Statement

MAX_PRINCIPALS = 20
MAX_COLUMNS = 3
SECURABLES = ("CATALOG", "SCHEMA", "TABLE")
# Where each part of a policy ends: at the word that begins the next.
_ENDS = ("EXCEPT", "FOR", "WHEN", "MATCH", "ON", "USING", "")
_JOINS = ("AND", "OR", ")", ",")
COLUMNS = ("Policy Name", "Policy Type", "Catalog", "Schema", "Table", "Comment")


def create_policy(match: Match, context: Context) -> Plan:
    """CREATE [OR REPLACE] POLICY <name> ON <securable> [COMMENT ...] ROW FILTER|COLUMN MASK ..."""
    reader = _Reader(match.statement, match.end, context)
    policy = reader.read(match.column)
    if context.catalog.policies.get(policy.identity) and "OR REPLACE" not in match.options:
        raise SqlError("POLICY_ALREADY_EXISTS", f"Policy {policy.name} already exists.", "42710")
    return fully_removed(match.statement, lambda store: store.policies.put(policy))


def drop_policy(match: Match, context: Context) -> Plan:
    """DROP POLICY <name> ON <securable>"""
    kind, name, index = _target(match.statement, match.end, context)
    require_end(match.statement, index)
    identity = (kind, name, match.column)
    if context.catalog.policies.get(identity) is None:
        message = f"Policy {match.column} does not exist on {kind} {name}."
        raise SqlError("POLICY_NOT_FOUND", message, "42704")
    return fully_removed(match.statement, lambda store: store.policies.drop(identity))


def show_policies(match: Match, context: Context) -> Plan:
    """SHOW [EFFECTIVE] POLICIES ON <securable>; effective ones may hang on what contains it."""
    _, name, index = _target(match.statement, match.end, context)
    require_end(match.statement, index)
    chain = {name}
    if "EFFECTIVE" in match.options:
        parts = name.split(".")
        chain = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    rows = [_shown(p) for p in context.catalog.policies.all() if p.on_securable_fullname in chain]
    return Plan(rows=Rows(COLUMNS, rows))


def _shown(policy: Policy) -> tuple[Any, ...]:
    parts = [*policy.on_securable_fullname.split("."), None, None][:3]
    kind = policy.policy_type.removeprefix("POLICY_TYPE_")
    return (policy.name, kind, *parts, policy.comment)


def _target(statement: Statement, index: int, context: Context) -> tuple[str, str, int]:
    """ON CATALOG|SCHEMA|TABLE <name>: kind, full name, and the index after it."""
    if statement.word(index) != "ON" or statement.word(index + 1) not in SECURABLES:
        allowed = " or ".join(f"ON {word}" for word in SECURABLES)
        raise syntax_error(statement.source(index, index + 2) or "end", f"Expected {allowed}.")
    word = statement.word(index + 1)
    parts, end = statement.name(index + 2)
    _, name = securable(word, parts, context)
    return word, name, end


class _Reader:
    """Reads the parts of a policy in their order."""

    def __init__(self, statement: Statement, index: int, context: Context) -> None:
        self.statement = statement
        self.index = index
        self.context = context
        self.aliases: list[str] = []

    def read(self, name: str) -> Policy:
        kind, on, self.index = _target(self.statement, self.index, self.context)
        policy = Policy(name=name, on_securable_type=kind, on_securable_fullname=on)
        if self._take("COMMENT"):
            policy.comment, self.index = self.statement.string(self.index)
        is_mask = self._kind()
        policy.policy_type = f"POLICY_TYPE_{'COLUMN_MASK' if is_mask else 'ROW_FILTER'}"
        parts, self.index = self.statement.name(self.index)
        _, function = securable("FUNCTION", parts, self.context)
        policy.to_principals = self._principals("TO")
        if self.statement.word(self.index) == "EXCEPT":
            policy.except_principals = self._principals("EXCEPT")
        if len(policy.to_principals) + len(policy.except_principals) > MAX_PRINCIPALS:
            message = f"A policy cannot name more than {MAX_PRINCIPALS} principals."
            raise SqlError("RESOURCE_EXHAUSTED", message, "54000")
        self._expect("FOR", "TABLES")
        policy.when_condition = self._condition() if self._take("WHEN") else None
        policy.match_columns = self._columns() if self._take("MATCH", "COLUMNS") else []
        self._function(policy, function, is_mask)
        require_end(self.statement, self.index)
        return policy

    def _kind(self) -> bool:
        """Whether it is a mask; a filter otherwise."""
        if self._take("COLUMN", "MASK"):
            return True
        self._expect("ROW", "FILTER")
        return False

    def _function(self, policy: Policy, function: str, is_mask: bool) -> None:
        if is_mask:
            self._expect("ON", "COLUMN")
            column = self._alias()
            policy.column_mask = {"function_name": function, "on_column": column}
        using = self._using() if self._take("USING", "COLUMNS") else []
        if is_mask and using:
            policy.column_mask = {**(policy.column_mask or {}), "using": using}
        if not is_mask:
            policy.row_filter = {"function_name": function, "using": using}

    def _take(self, *words: str) -> bool:
        found = self.statement.words(self.index, *words)
        self.index += len(words) if found else 0
        return found

    def _expect(self, *words: str) -> None:
        if not self._take(*words):
            found = self.statement.source(self.index, self.index + 1) or "end of statement"
            raise syntax_error(found, f"Expected {' '.join(words)}.")

    def _principals(self, word: str) -> list[str]:
        self._expect(word)
        names: list[str] = []
        while True:
            if not self.statement.is_name(self.index):
                found = self.statement.source(self.index, self.index + 1) or "end of statement"
                raise syntax_error(found, "Expected a principal.")
            names.append(str(self.statement.tokens[self.index].text))
            self.index += 1
            if not self._take(","):
                return names

    def _condition(self) -> str:
        """The text of a condition, up to a comma, an alias, or where the next part begins."""
        start, depth = self.index, 0
        while self.index < len(self.statement):
            word = self.statement.word(self.index)
            is_alias = self.statement.word(self.index - 1) == ")" and word not in _JOINS
            depth += (word == "(") - (word == ")")
            if depth == 0 and self.index > start and (is_alias or word in (*_ENDS, ",", "AS")):
                break
            self.index += 1
        require_condition(self.statement, start, self.index)
        return self.statement.source(start, self.index)

    def _columns(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        while True:
            column = {"condition": self._condition()}
            named = self._take("AS") or self.statement.word(self.index) not in (*_ENDS, ",")
            if named and self._more():
                column["alias"] = str(self.statement.tokens[self.index].text)
                self.aliases.append(column["alias"])
                self.index += 1
            found.append(column)
            if not self._take(","):
                break
        if len(found) > MAX_COLUMNS:
            message = f"MATCH COLUMNS cannot have more than {MAX_COLUMNS} conditions."
            raise SqlError("INVALID_PARAMETER_VALUE", message, "22023")
        return found

    def _alias(self) -> str:
        name = str(self.statement.tokens[self.index].text) if self._more() else "end of statement"
        self._require_alias(name)
        self.index += 1
        return name

    def _more(self) -> bool:
        return self.index < len(self.statement)

    def _using(self) -> list[dict[str, str]]:
        """(<alias or constant>, ...)"""
        close = self.statement.closing(self.index)
        found: list[dict[str, str]] = []
        for start, end in self.statement.items(self.index + 1, close):
            text = self.statement.source(start, end)
            if end - start == 1 and self.statement.is_name(start) and not text.isdigit():
                self._require_alias(text)
                found.append({"alias": text})
            else:
                found.append({"constant": text})
        self.index = close + 1
        return found

    def _require_alias(self, name: str) -> None:
        if name not in self.aliases:
            known = ", ".join(self.aliases) or "none"
            message = f"Column alias {name} is not among those of MATCH COLUMNS: {known}."
            raise SqlError("INVALID_PARAMETER_VALUE", message, "22023")
