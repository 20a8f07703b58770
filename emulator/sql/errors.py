"""SQL errors as Databricks words them: a condition in brackets, a sentence, a SQLSTATE."""

from __future__ import annotations

from pyspark.errors import AnalysisException


class SqlError(AnalysisException):  # type: ignore[misc]
    """What Databricks would refuse, or what this emulator cannot do and therefore refuses."""

    def __init__(self, condition: str, message: str, sql_state: str = "42000") -> None:
        self.condition = condition
        self.sql_state = sql_state
        self.text = f"[{condition}] {message} SQLSTATE: {sql_state}"
        super().__init__(message=self.text)

    def __str__(self) -> str:
        return self.text

    def getCondition(self) -> str:
        return self.condition

    def getSqlState(self) -> str:
        return self.sql_state


def syntax_error(near: str, message: str = "") -> SqlError:
    text = f"Syntax error at or near '{near}'."
    return SqlError("PARSE_SYNTAX_ERROR", f"{text} {message}".strip(), "42601")


def not_supported(what: str) -> SqlError:
    """A Databricks feature that the emulator does not have."""
    return SqlError("EMULATOR_NOT_SUPPORTED", f"{what} is not supported by this emulator.", "0A000")


def no_such_catalog(name: str) -> SqlError:
    return SqlError("NO_SUCH_CATALOG_EXCEPTION", f"Catalog '{name}' was not found.", "42704")


def no_such_schema(name: str) -> SqlError:
    return SqlError("SCHEMA_NOT_FOUND", f"The schema {name} cannot be found.", "42704")


def no_such_table(name: str) -> SqlError:
    message = f"The table or view {name} cannot be found. Verify the spelling and the schema."
    return SqlError("TABLE_OR_VIEW_NOT_FOUND", message, "42P01")


def no_such_column(column: str, table: str, known: list[str]) -> SqlError:
    choices = ", ".join(f"`{name}`" for name in known)
    message = f"A column with name `{column}` cannot be resolved in {table}; it has {choices}."
    return SqlError("UNRESOLVED_COLUMN.WITH_SUGGESTION", message, "42703")
