"""What can be checked of policies and grants without a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from health_monitor.spec.base import PII, PII_TYPE, Column
from health_monitor.spec.documents import Place
from health_monitor.spec.functions import ScalarFunction, parse_scalar_function
from health_monitor.spec.governance import Grant, Policy
from health_monitor.spec.kinds import Gold
from health_monitor.spec.loader import Definitions
from health_monitor.spec.sql import SqlError
from health_monitor.spec.tagging import TRUE, column_tags

Wrong = Iterator[tuple[Place, str]]


def wrong_function(policy: Policy) -> Iterator[str]:
    """What is wrong with the function beside a policy."""
    try:
        function = parse_scalar_function(policy.sql)
    except SqlError as error:
        yield str(error)
        return
    if function.name != policy.function_name:
        yield f"the file makes {function.name}; its path says {policy.function_name}"
    if not function.comment:
        yield f"function {function.name} has no COMMENT"
    if len(function.parameters) != 1:
        yield f"function {function.name} must take one value: that of the column"


def wrong_policy(definitions: Definitions, policy: Policy) -> Wrong:
    """A function that is not there or of another type, and tags that no column has."""
    function = function_of(definitions, policy)
    if policy.function is not None and function is None:
        known = ", ".join(name for name, other in definitions.policies.items() if other.sql)
        yield ("function",), f"function {policy.function} does not exist; there are: {known}"
    if function is not None and len(function.parameters) == 1:
        (taken,) = function.parameters.values()
        wanted = "boolean" if policy.type == "row_filter" else taken
        if function.returns != wanted:
            what = f"{policy.type.replace('_', ' ')} with {function.name}"
            yield ("type",), f"a {what} must give {wanted}; it gives {function.returns}"
    # A mask for a type that no column has yet is ready for the first one.
    own = {key: value for key, value in policy.column.items() if key not in (PII, PII_TYPE)}
    columns = [column_tags(c) for table in _tables(definitions) for c in table.columns.values()]
    if not any(own.items() <= tags.items() for tags in columns):
        yield ("column",), f"no column of a gold table has the tags {_shown(own)}"
    if policy.column.get(PII, TRUE) != TRUE:
        yield ("column", PII), f"{PII} is '{TRUE}' where it is at all"


def wrong_grant(definitions: Definitions, grant: Grant) -> Wrong:
    """A pattern that no gold table has."""
    for index, pattern in enumerate(grant.tables):
        if not any(fnmatchcase(name, pattern) for name in definitions.gold):
            known = ", ".join(sorted(definitions.gold))
            message = f"no gold table is called '{pattern}'; there are: {known}"
            yield ("tables", index), message


def unprotected(definitions: Definitions, table: Gold) -> Wrong:
    """Columns of a gold table that no mask, or more than one, would hold for."""
    if table.type == "view":
        # Policies hold for the tables that a view reads, whoever asks it.
        return
    for name, column in table.columns.items():
        masks = _holding(definitions, "column_mask", column)
        if column.contains_pii and not masks:
            message = (
                f"column {name} has {PII}, and no column mask holds for its tags "
                f"({_shown(column_tags(column))}); add one: policies/<domain>/<name>.yml"
            )
            yield ("columns", name), message
        if len(masks) > 1:
            names = ", ".join(policy.name for policy in masks)
            yield ("columns", name), f"column {name} has several masks, only one may be: {names}"
        for policy in (*masks, *_holding(definitions, "row_filter", column)):
            yield from _other_type(definitions, policy, name, column)
    filters = [
        policy.name
        for column in table.columns.values()
        for policy in _holding(definitions, "row_filter", column)
    ]
    if len(filters) > 1:
        yield (), f"several row filters hold for it, only one may: {', '.join(filters)}"


def _other_type(definitions: Definitions, policy: Policy, name: str, column: Column) -> Wrong:
    function = function_of(definitions, policy)
    if function is None or len(function.parameters) != 1:
        return
    (taken,) = function.parameters.values()
    if taken != "".join(column.type.lower().split()):
        message = f"{policy.name} takes {taken}, column {name} is {column.type}"
        yield ("columns", name), f"{message}; another tag needs another policy"


def _holding(definitions: Definitions, kind: str, column: Column) -> list[Policy]:
    """The policies of one kind that hold for a column."""
    tags = column_tags(column)
    return [p for p in definitions.policies.values() if p.type == kind and p.matches(tags)]


def function_of(definitions: Definitions, policy: Policy) -> ScalarFunction | None:
    """The function of a policy; None where it is missing or cannot be read."""
    owner = definitions.policies.get(policy.function) if policy.function else policy
    if owner is None or not owner.sql:
        return None
    try:
        return parse_scalar_function(owner.sql)
    except SqlError:
        return None


def _tables(definitions: Definitions) -> Iterator[Gold]:
    return (table for table in definitions.gold.values() if table.type == "table")


def _shown(tags: dict[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in tags.items())
