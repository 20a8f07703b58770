"""Values of a source in the types that bronze wants; what does not fit is set aside, not lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import Column
    from pyspark.sql.types import DataType, StructType

HIDDEN = "[REDACTED]"


class SourceError(RuntimeError):
    """A source that is needed is not there, or is not what it should be."""


@dataclass
class Fitting:
    """Fits the columns of one source and remembers which values can be other than they were."""

    source: str
    protected: frozenset[str] = frozenset()
    misfits: list[tuple[str, Any]] = field(default_factory=list)

    def fit(self, value: Column, have: DataType, want: DataType, path: str) -> Column:
        """A value in the wanted type: structs field by field, NULL where it does not fit."""
        from pyspark.sql import functions as F
        from pyspark.sql.types import ArrayType, MapType, NullType, StructType

        if have == want:
            return value
        if isinstance(have, StructType) and isinstance(want, StructType):
            return self._struct(value, have, want, path)
        if isinstance(have, ArrayType) and isinstance(want, ArrayType):
            inner = (have.elementType, want.elementType, f"{path}[]")
            return F.transform(value, lambda item: self._inside(item, *inner))
        if isinstance(have, MapType) and isinstance(want, MapType) and have.keyType == want.keyType:
            inner = (have.valueType, want.valueType, f"{path}[]")
            return F.transform_values(value, lambda _, item: self._inside(item, *inner))
        if not isinstance(have, NullType) and (_is_nested(have) or _is_nested(want)):
            raise SourceError(
                f"{self.source}: column {path} is {have.simpleString()}, "
                f"and should be {want.simpleString()}"
            )
        return self._plain(value, have, want, path)

    def set_aside(self) -> Column:
        """The values that did not fit, as text by column."""
        from pyspark.sql import functions as F

        return F.map_filter(by_name(self.misfits), lambda _, text: text.isNotNull())

    def _struct(self, value: Column, have: StructType, want: StructType, path: str) -> Column:
        """The wanted fields, then those that are new."""
        from pyspark.sql import functions as F

        fields = []
        for wanted in want.fields:
            if wanted.name in have.names:
                part = value.getField(wanted.name)
                kind = have[wanted.name].dataType
                fitted = self.fit(part, kind, wanted.dataType, f"{path}.{wanted.name}")
            else:
                fitted = F.lit(None).cast(wanted.dataType)
            fields.append(fitted.alias(wanted.name))
        fields += [
            value.getField(extra.name).alias(extra.name)
            for extra in have.fields
            if extra.name not in want.names
        ]
        return F.when(value.isNotNull(), F.struct(*fields))

    def _plain(self, value: Column, have: DataType, want: DataType, path: str) -> Column:
        from pyspark.sql import functions as F

        fitted = value.try_cast(want)
        if _may_lose(have, want):
            hidden = path.split(".")[0] in self.protected
            text = F.lit(HIDDEN) if hidden else value.cast("string")
            self.misfits.append((path, F.when(_is_lost(value, fitted, have), text)))
        return fitted

    def _inside(self, value: Column, have: DataType, want: DataType, path: str) -> Column:
        """An element of a list or map: what does not fit there stops the table."""
        from pyspark.sql import functions as F

        here = Fitting(self.source)
        fitted = here.fit(value, have, want, path)
        if not here.misfits:
            return fitted
        lost = F.coalesce(*(text.isNotNull() for _, text in here.misfits))
        message = F.lit(f"{self.source}: a value in column {path} is no {want.simpleString()}")
        return F.when(lost, F.raise_error(message).cast(want)).otherwise(fitted)


def by_name(texts: Iterable[tuple[str, Column]]) -> Column:
    """Texts as a map, also when there are none."""
    from pyspark.sql import functions as F

    parts = [part for name, text in texts for part in (F.lit(name), text)]
    return F.create_map(*parts).cast("map<string,string>")


def _is_nested(kind: DataType) -> bool:
    from pyspark.sql.types import ArrayType, MapType, StructType

    return isinstance(kind, ArrayType | MapType | StructType)


def _may_lose(have: DataType, want: DataType) -> bool:
    """Whether a value can be another after the cast."""
    from pyspark.sql.types import IntegralType, NullType, StringType

    if isinstance(have, NullType) or isinstance(want, StringType):
        return False
    widths = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8}
    if isinstance(have, IntegralType) and isinstance(want, IntegralType):
        return widths[have.simpleString()] > widths[want.simpleString()]
    return True


def _is_lost(value: Column, fitted: Column, have: DataType) -> Column:
    """Whether the cast gave nothing, or something that is not the same any more."""
    from pyspark.sql.types import StringType

    lost = fitted.isNull()
    if not isinstance(have, StringType):
        lost = lost | ~fitted.try_cast(have).eqNullSafe(value)
    return value.isNotNull() & lost
