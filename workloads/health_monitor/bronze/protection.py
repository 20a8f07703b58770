"""What must not be kept as it is: hashed, blanked or rewritten before a row is stored."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from health_monitor.bronze.fitting import HIDDEN
from health_monitor.spec.kinds import Protection
from health_monitor.spec.sql import quoted

if TYPE_CHECKING:
    from pyspark.sql import Column


def protected(name: str, protect: Protection) -> Column:
    """A column as it may be stored."""
    from pyspark.sql import functions as F

    value = F.col(quoted(name))
    for path, expression in protect.rewrite.items():
        if path.split(".")[0] == name:
            value = _replaced(value, path, F.expr(expression))
    for path in protect.hash:
        if path.split(".")[0] == name:
            old = F.col(".".join(quoted(part) for part in path.split(".")))
            value = _replaced(value, path, F.sha2(old.cast("string"), 256))
    if name in protect.redact:
        value = _blanked(value, protect.redact[name])
    return value


def protected_columns(protect: Protection) -> frozenset[str]:
    """The columns that a definition protects in any way."""
    paths = [*protect.drop, *protect.hash, *protect.redact, *protect.rewrite]
    return frozenset(path.split(".")[0] for path in paths)


def _replaced(column: Column, path: str, value: Column) -> Column:
    """The column with another value, or with another one in a field of it."""
    _, _, inner = path.partition(".")
    if not inner:
        return value
    from pyspark.sql import functions as F

    return F.when(column.isNotNull(), column.withField(inner, value))


def _blanked(value: Column, keys: list[str]) -> Column:
    from pyspark.sql import functions as F

    patterns = (re.escape(key.lower()).replace(r"\*", ".*") for key in keys)
    names = f"^({'|'.join(patterns)})$"
    return F.transform_values(
        value,
        lambda key, text: F.when(
            text.isNotNull() & F.lower(key).rlike(names), F.lit(HIDDEN)
        ).otherwise(text),
    )
