"""Who may see what: grants by role, row filters and column masks by tag."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from health_monitor.spec.base import Comment, Definition, Identifier, TagKey, TagValue

EVERYBODY = "everybody"
EACH_DOMAIN = "domains"
EVERY_DOMAIN = "every_domain"
ROLES = ("workspace_admins", "data_engineers", "analysts", "monitoring")
_ROLE = rf"{'|'.join(ROLES)}|domains\.[a-z][a-z0-9_]*"

Role = Annotated[str, Field(pattern=rf"^({_ROLE})$")]
RoleOrEverybody = Annotated[str, Field(pattern=rf"^({EVERYBODY}|{_ROLE})$")]
RoleOrDomains = Annotated[str, Field(pattern=rf"^({EACH_DOMAIN}|{EVERY_DOMAIN}|{_ROLE})$")]


class Grant(Definition):
    """What a role may do with some gold tables.

    ``domains`` stands for each domain's group, with the tables of its own domain;
    ``every_domain`` for the same groups, with the tables of all domains.
    """

    comment: Comment
    to: RoleOrDomains
    privileges: Annotated[
        list[Literal["SELECT", "MODIFY", "MANAGE", "APPLY_TAG", "BROWSE"]], Field(min_length=1)
    ]
    tables: Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9_*?]+$")]], Field(min_length=1)]
    """Names of gold tables; * and ? as in names of files."""


class Policy(Definition):
    """A column mask or a row filter on every gold table that has a column with these tags.

    Its function takes that column. It stands in the .sql beside it, or is another policy's.
    """

    comment: Comment
    type: Literal["column_mask", "row_filter"]
    column: Annotated[dict[TagKey, TagValue], Field(min_length=1)]
    to: Annotated[list[RoleOrEverybody], Field(min_length=1)]
    exempt: list[Role] = []
    """Who is not held by it, beside the identity that runs the platform's jobs."""
    function: Identifier | None = None
    sql: str = ""
    sql_path: str = ""

    @model_validator(mode="after")
    def _one_function(self) -> Policy:
        if bool(self.sql) == (self.function is not None):
            raise ValueError("a policy has either a .sql beside it or 'function'")
        return self

    @property
    def function_name(self) -> str:
        """The two-part name of its function."""
        return f"platform.{self.function or self.name}"

    def matches(self, tags: dict[str, str]) -> bool:
        """Whether it holds for a column with these tags."""
        return self.column.items() <= tags.items()
