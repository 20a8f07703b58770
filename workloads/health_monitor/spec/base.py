"""What all kinds of definitions have in common."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from sqlglot import ParseError, exp

IDENTITY = ("kind", "domain", "name", "path")
NAME = re.compile(r"[a-z][a-z0-9_]*")
SOURCE_NAME = r"^[a-z_][a-z0-9_]*$"
FIELD_PATH = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$"
# These follow from what a definition says elsewhere.
PII = "contains_pii"
PII_TYPE = "pii_type"
DERIVED_TAGS = (PII, PII_TYPE, "domain", "layer", "owner")
COMMENT = re.compile(r"\s*\S.*\.\s+Technical: \S.*", re.DOTALL)


def _two_parts(text: str) -> str:
    if not COMMENT.fullmatch(text):
        raise ValueError("write the business meaning, then 'Technical:' and how it is computed")
    return " ".join(text.split())


def _identifier(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"'{text}' is no name: lower case letters, digits and _ only")
    return text


def _data_type(text: str) -> str:
    try:
        kind = exp.DataType.build(text, dialect="databricks")
    except (ParseError, ValueError) as error:
        raise ValueError(f"'{text}' is no Databricks type") from error
    if kind.this == exp.DataType.Type.USERDEFINED:
        raise ValueError(f"'{text}' is no Databricks type")
    return text


def _tag_key(text: str) -> str:
    if not NAME.fullmatch(text) or len(text) > 255:
        raise ValueError(f"'{text}' is no key of a tag: lower case letters, digits and _ only")
    return text


def _own_tags(tags: dict[str, str]) -> dict[str, str]:
    for key in DERIVED_TAGS:
        if key in tags:
            raise ValueError(f"tag '{key}' follows from the definition; it is not written here")
    return tags


TagKey = Annotated[str, AfterValidator(_tag_key)]
TagValue = Annotated[str, Field(min_length=1, max_length=256)]
Tags = Annotated[dict[TagKey, TagValue], AfterValidator(_own_tags)]
Comment = Annotated[str, AfterValidator(_two_parts)]
Identifier = Annotated[str, AfterValidator(_identifier)]
DataType = Annotated[str, AfterValidator(_data_type)]
SourceName = Annotated[str, Field(pattern=SOURCE_NAME)]
FieldPath = Annotated[str, Field(pattern=FIELD_PATH)]


class Part(BaseModel):
    """A part of a definition: unknown keys are refused, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Definition(Part):
    """One asset. Its path says kind, domain and name; the file does not repeat them."""

    kind: str
    domain: str
    name: Identifier
    path: str


class Column(Part):
    """A column of a table."""

    name: Identifier
    type: DataType
    comment: Comment
    nullable: bool = True
    contains_pii: bool = False
    """Whether it says who somebody is, or where; in gold a policy has to mask it."""
    tags: Tags = {}


class BronzeColumn(Column):
    """A column of a source; an optional one may be absent from an account."""

    optional: bool = False


class ComputedColumn(Column):
    """A column that a source does not have: bronze derives it, or silver adds it."""

    expression: str


class TableDefinition(Definition):
    """A table with a comment."""

    comment: Comment
    tags: Tags = {}

    @property
    def table(self) -> str:
        """Its two-part name."""
        return f"{self.kind}.{self.kind}_{self.name}"


def named(value: Any) -> Any:
    """Columns as the file has them (name: {...}) as columns that know their name."""
    if not isinstance(value, dict):
        return value
    return {
        name: {"name": name, **body} if isinstance(body, dict) else body
        for name, body in value.items()
    }


class Schedule(Part):
    """When something runs: a Quartz expression in a time zone."""

    cron: str
    timezone: str = "UTC"

    @field_validator("cron")
    @classmethod
    def _quartz(cls, text: str) -> str:
        fields = text.split()
        if len(fields) not in (6, 7) or (fields[3] == "?") == (fields[5] == "?"):
            raise ValueError(
                f"'{text}' is no Quartz expression: 6 or 7 fields, exactly one of "
                "day-of-month and day-of-week is ?"
            )
        return text


Severity = Literal["info", "warning", "critical"]
"""How bad it is that something happened: P3 or less, P2, P1."""
NonEmpty = Annotated[list[Identifier], Field(min_length=1)]
