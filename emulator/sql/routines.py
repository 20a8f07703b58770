"""Reads DESCRIBE FUNCTION EXTENDED."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.sql.records import Function, Parameter
from emulator.sql.tokens import Statement

_LABEL = 15


def read_function(function: Function, lines: Sequence[str]) -> None:
    """Fill a function's entry from Spark's description of it."""
    sections = _sections(lines)
    function.parameters = _parameters(sections.get("Input", []))
    returns = sections.get("Returns", [])
    is_table = _text(sections, "Type") == "TABLE"
    function.data_type = "TABLE" if is_table else "\n".join(returns).strip().lower()
    function.return_columns = _parameters(returns) if is_table else []
    function.comment = _text(sections, "Comment") or None
    function.body = _text(sections, "Body") or ""
    function.deterministic = _text(sections, "Deterministic") != "false"


def _sections(lines: Sequence[str]) -> dict[str, list[str]]:
    """Label and lines; lines that go on are indented by the label's width."""
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    in_body = False
    for line in (part for row in lines for part in row.split("\n")):
        label = line[:_LABEL].strip()
        if label.endswith(":") and not in_body and not line.startswith(" "):
            current = sections.setdefault(label[:-1], [])
            in_body = label == "Body:"
            current.append(line[_LABEL:])
        else:
            current.append(line if in_body else line[_LABEL:])
    return sections


def _text(sections: dict[str, list[str]], label: str) -> str:
    return "\n".join(sections.get(label, [])).strip()


def _parameters(lines: Sequence[str]) -> list[Parameter]:
    """name TYPE [DEFAULT expression] ['comment'], one a line."""
    parameters: list[Parameter] = []
    for line in lines:
        statement = Statement(line)
        if not len(statement) or line.strip() == "()":
            continue
        end = len(statement)
        comment = None
        if statement.is_string(end - 1) and statement.word(end - 2) != "DEFAULT":
            comment, _ = statement.string(end - 1)
            end -= 1
        default_at = next((i for i in range(1, end) if statement.word(i) == "DEFAULT"), end)
        default = statement.source(default_at + 1, end) or None
        type_text = statement.source(1, default_at).lower()
        name = str(statement.tokens[0].text)
        parameters.append(Parameter(name, type_text, len(parameters), default, comment))
    return parameters
