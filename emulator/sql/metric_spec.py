"""The YAML 1.1 grammar of metric views: read strictly, all problems reported at once."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from emulator.sql.errors import SqlError, not_supported

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Text = Annotated[str, StringConstraints(min_length=1)]
Synonyms = Annotated[list[Name], Field(max_length=10)]
Version = Annotated[Literal["0.1", "1.1"], BeforeValidator(str)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


class DecimalPlaces(_Strict):
    type: Literal["max", "exact", "all"]
    places: int | None = Field(default=None, ge=0, le=10)


class _Numeric(_Strict):
    decimal_places: DecimalPlaces | None = None
    hide_group_separator: bool | None = None
    abbreviation: Literal["none", "compact", "scientific"] | None = None


class NumberFormat(_Numeric):
    type: Literal["number"]


class CurrencyFormat(_Numeric):
    type: Literal["currency"]
    currency_code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class PercentageFormat(_Numeric):
    type: Literal["percentage"]


class ByteFormat(_Numeric):
    type: Literal["byte"]


_DATES = Literal[
    "locale_short_month",
    "locale_long_month",
    "year_month_day",
    "locale_number_month",
    "year_week",
]


class DateFormat(_Strict):
    type: Literal["date"]
    date_format: _DATES
    leading_zeros: bool | None = None


class DateTimeFormat(_Strict):
    type: Literal["date_time"]
    date_format: _DATES | Literal["no_date"]
    time_format: Literal["no_time", "locale_hour_minute", "locale_hour_minute_second"]
    leading_zeros: bool | None = None

    @model_validator(mode="after")
    def _shows_something(self) -> DateTimeFormat:
        if self.date_format == "no_date" and self.time_format == "no_time":
            raise ValueError("no_date and no_time together show nothing")
        return self


Format = Annotated[
    NumberFormat | CurrencyFormat | PercentageFormat | ByteFormat | DateFormat | DateTimeFormat,
    Field(discriminator="type"),
]


class Rely(_Strict):
    at_most_one_match: bool = False


class Join(_Strict):
    name: Name
    source: Text
    on: Text | None = None
    using: list[Name] | None = Field(default=None, min_length=1)
    cardinality: Literal["many_to_one", "one_to_many"] = "many_to_one"
    rely: Rely = Rely()
    joins: list[Join] = []

    @model_validator(mode="after")
    def _one_condition(self) -> Join:
        if (self.on is None) == (self.using is None):
            raise ValueError("a join has either `on` or `using`")
        return self


class Dimension(_Strict):
    name: Name
    expr: Text
    comment: str | None = None
    display_name: Name | None = None
    synonyms: Synonyms = []
    format: Format | None = None


class Measure(Dimension):
    window: list[Any] | None = None


class MetricViewSpec(_Strict):
    version: Version
    source: Text
    comment: str | None = None
    filter: Text | None = None
    joins: list[Join] = []
    dimensions: list[Dimension] = []
    measures: list[Measure] = []
    parameters: list[Any] | None = None
    materialization: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _fields_are_dimensions(cls, value: Any) -> Any:
        if isinstance(value, dict) and "fields" in value:
            if "dimensions" in value:
                raise ValueError("`fields` and `dimensions` mean the same; give one")
            value = {**value, "dimensions": value["fields"]}
            del value["fields"]
        return value

    @model_validator(mode="after")
    def _names(self) -> MetricViewSpec:
        items = [*self.dimensions, *self.measures]
        if not items:
            raise ValueError("at least one dimension or measure is needed")
        seen: set[str] = set()
        for item in items:
            if item.name.lower() in seen:
                raise ValueError(f"the name `{item.name}` is used twice")
            seen.add(item.name.lower())
        return self


class _Loader(yaml.SafeLoader):
    """`on` is a key here, so only true and false are booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _first, _word in (("t", "true"), ("f", "false")):
    _boolean = ("tag:yaml.org,2002:bool", re.compile(f"^{_word}$"))
    _Loader.yaml_implicit_resolvers.setdefault(_first, []).append(_boolean)


def invalid_definition(message: str) -> SqlError:
    text = f"The metric view definition is invalid: {message}."
    return SqlError("METRIC_VIEW_INVALID_VIEW_DEFINITION", text, "42K0L")


def read_spec(text: str) -> MetricViewSpec:
    """The checked definition; SqlError names each problem and where it stands."""
    try:
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 (a subclass of SafeLoader)
    except yaml.YAMLError as error:
        raise invalid_definition(str(error).replace("\n", " ")) from error
    try:
        spec = MetricViewSpec.model_validate(value)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'top level'}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise invalid_definition("; ".join(problems)) from error
    _refuse_left_out(spec)
    return spec


def _refuse_left_out(spec: MetricViewSpec) -> None:
    for measure in spec.measures:
        if measure.window is not None:
            raise not_supported(f"The window of measure `{measure.name}`")
    if spec.parameters is not None:
        raise not_supported("`parameters` of a metric view")
    joins = list(spec.joins)
    while joins:
        join = joins.pop()
        joins.extend(join.joins)
        if join.cardinality == "one_to_many":
            raise not_supported(f"The one_to_many join `{join.name}`")
