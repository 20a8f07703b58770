"""Read a folder of definitions; every mistake in it is reported at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from health_monitor.spec import governance, kinds
from health_monitor.spec.base import IDENTITY, NAME, Definition
from health_monitor.spec.documents import Document, read_document
from health_monitor.spec.functions import parse_function
from health_monitor.spec.jobs import Job
from health_monitor.spec.problems import DefinitionErrors, Problem
from health_monitor.spec.sql import SqlError

SUFFIXES = {
    "bronze": (".yml",),
    "silver": (".yml",),
    "gold": (".yml", ".sql"),
    "functions": (".sql",),
    "metric_views": (".yml",),
    "models": (".yml",),
    "monitors": (".yml",),
    "alerts": (".yml", ".sql"),
    "dashboards": (".lvdash.json",),
    "policies": (".yml", ".sql"),
    "grants": (".yml",),
    "checks": (".yml", ".sql"),
    "jobs": (".yml",),
}
MODELS: dict[str, type[Definition]] = {
    "bronze": kinds.Bronze,
    "silver": kinds.Silver,
    "gold": kinds.Gold,
    "metric_views": kinds.MetricView,
    "models": kinds.Model,
    "monitors": kinds.Monitor,
    "alerts": kinds.Alert,
    "policies": governance.Policy,
    "grants": governance.Grant,
    "checks": kinds.Check,
    "jobs": Job,
}
D = TypeVar("D", bound=Definition)


@dataclass
class Definitions:
    """All definitions of a folder, by kind and name."""

    root: Path
    bronze: dict[str, kinds.Bronze] = field(default_factory=dict)
    silver: dict[str, kinds.Silver] = field(default_factory=dict)
    gold: dict[str, kinds.Gold] = field(default_factory=dict)
    functions: dict[str, kinds.Function] = field(default_factory=dict)
    metric_views: dict[str, kinds.MetricView] = field(default_factory=dict)
    models: dict[str, kinds.Model] = field(default_factory=dict)
    monitors: dict[str, kinds.Monitor] = field(default_factory=dict)
    alerts: dict[str, kinds.Alert] = field(default_factory=dict)
    dashboards: dict[str, kinds.Dashboard] = field(default_factory=dict)
    policies: dict[str, governance.Policy] = field(default_factory=dict)
    grants: dict[str, governance.Grant] = field(default_factory=dict)
    checks: dict[str, kinds.Check] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)

    def of(self, kind: str) -> dict[str, Any]:
        """The definitions of one kind."""
        found: dict[str, Any] = getattr(self, kind)
        return found

    def items(self, each: str) -> list[str]:
        """What a job can be made for each of: domains of bronze, or models."""
        if each == "domain":
            return sorted({table.domain for table in self.bronze.values()})
        return list(self.models)

    def __iter__(self) -> Iterator[Definition]:
        for kind in SUFFIXES:
            yield from self.of(kind).values()


@dataclass(frozen=True)
class _File:
    """A definition file and what its path says."""

    shown: str
    path: str
    kind: str
    domain: str
    name: str
    suffix: str
    text: str

    @property
    def identity(self) -> dict[str, str]:
        return {"kind": self.kind, "domain": self.domain, "name": self.name, "path": self.path}


def read_definitions(root: Path) -> tuple[Definitions, list[Problem]]:
    """Definitions of a folder and what is wrong in single files."""
    definitions = Definitions(root)
    problems: list[Problem] = []
    files = _files(root, problems)
    for path, file in files.items():
        if file.kind == "functions":
            made: Definition | None = _function(file, problems)
        elif file.kind == "dashboards":
            made = _dashboard(file, problems)
        elif file.suffix == ".sql":
            partner = path.removesuffix(".sql") + ".yml"
            if partner not in files:
                problems.append(Problem(file.shown, 1, f"no {partner} beside this query"))
            continue
        else:
            query = files.get(path.removesuffix(".yml") + ".sql")
            made = _from_yaml(file, query, definitions, problems)
        if made is not None:
            _keep(definitions, file, made, problems)
    return definitions, problems


def _files(root: Path, problems: list[Problem]) -> dict[str, _File]:
    if not root.is_dir():
        raise DefinitionErrors([Problem(str(root), 1, "folder of definitions does not exist")])
    files: dict[str, _File] = {}
    for path in _walk(root):
        relative = path.relative_to(root)
        shown, parts = str(path), relative.parts
        if len(parts) != 3 or parts[0] not in SUFFIXES:
            allowed = ", ".join(SUFFIXES)
            problems.append(
                Problem(shown, 1, f"expected <kind>/<domain>/<file>; kinds are: {allowed}")
            )
            continue
        kind, domain, file_name = parts
        suffix = next((s for s in SUFFIXES[kind] if file_name.endswith(s)), None)
        if suffix is None:
            allowed = ", ".join(SUFFIXES[kind])
            problems.append(Problem(shown, 1, f"files of {kind} end in: {allowed}"))
            continue
        name = file_name.removesuffix(suffix)
        if not NAME.fullmatch(name) or not NAME.fullmatch(domain):
            message = "domain and file name: lower case letters, digits and _ only"
            problems.append(Problem(shown, 1, message))
            continue
        text = path.read_text(encoding="utf-8")
        key = relative.as_posix()
        files[key] = _File(shown, key, kind, domain, name, suffix, text)
    return files


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _walk(path)
        elif not path.name.startswith("."):
            yield path


def _keep(definitions: Definitions, file: _File, made: Definition, problems: list[Problem]) -> None:
    others = definitions.of(file.kind)
    if file.name in others:
        message = f"name '{file.name}' is taken by {others[file.name].path}"
        problems.append(Problem(file.shown, 1, message))
        return
    others[file.name] = made


def _from_yaml(
    file: _File, query: _File | None, definitions: Definitions, problems: list[Problem]
) -> Definition | None:
    document = read_document(file.shown, file.text)
    problems += document.problems
    body = dict(document.data)
    for key in IDENTITY:
        if key in body:
            problems.append(document.problem((key,), f"key '{key}': the path says it already"))
            del body[key]
    if document.problems and not document.data:
        return None
    model = MODELS[file.kind]
    definitions.documents[file.path] = document
    for key in ("sql", "sql_path"):
        if key in body:
            problems.append(document.problem((key,), f"unknown key '{key}'"))
            del body[key]
    if query is not None:
        body |= {"sql": query.text, "sql_path": query.path}
    return _validated(model, {**body, **file.identity}, document, problems)


def _validated(
    model: type[D], body: dict[str, Any], document: Document, problems: list[Problem]
) -> D | None:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        for item in error.errors():
            place = tuple(part for part in item["loc"] if part != "[key]")
            problems.append(document.problem(place, _message(model, place, dict(item))))
        return None


def _message(model: type[BaseModel], place: tuple[str | int, ...], item: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in place)
    match item["type"]:
        case "extra_forbidden":
            allowed = ", ".join(_keys(model, place[:-1]))
            return f"unknown key '{where}'" + (f"; allowed: {allowed}" if allowed else "")
        case "missing":
            return f"key '{where}' is missing"
        case "literal_error":
            return f"'{where}' is {item['input']!r}; allowed: {item['ctx']['expected']}"
        case "value_error":
            return f"'{where}': {item['ctx']['error']}" if where else str(item["ctx"]["error"])
        case _:
            return f"'{where}': {item['msg']} (found {item['input']!r})"


def _keys(model: type[BaseModel], place: tuple[str | int, ...]) -> list[str]:
    """The keys that a part of a definition may have."""
    current: type[BaseModel] | None = model
    for part in place:
        if current is None:
            return []
        if part in current.model_fields:
            current = _part(current.model_fields[str(part)].annotation)
    if current is None:
        return []
    hidden = {*IDENTITY, "sql", "sql_path"} if current is model else {"name"}
    return [key for key in current.model_fields if key not in hidden]


def _part(annotation: Any) -> type[BaseModel] | None:
    """The model inside ``X``, ``X | None``, ``list[X]`` and ``dict[str, X]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [_part(argument) for argument in getattr(annotation, "__args__", ())]
    return next((model for model in inner if model is not None), None)


def _function(file: _File, problems: list[Problem]) -> kinds.Function | None:
    document = Document(file.shown)
    try:
        parsed = parse_function(file.text)
    except SqlError as error:
        problems.append(Problem(file.shown, error.line, str(error)))
        return None
    if parsed.name != f"gold.{file.name}":
        message = f"the file makes {parsed.name}; its path says gold.{file.name}"
        problems.append(Problem(file.shown, 1, message))
    for kind, items in (
        ("parameter", {str(p["name"]): p["comment"] for p in parsed.parameters}),
        ("column", parsed.columns),
    ):
        for name, comment in items.items():
            if not comment:
                problems.append(Problem(file.shown, 1, f"{kind} {name} has no COMMENT"))
    body = {
        "sql": file.text,
        "comment": parsed.comment,
        "parameters": parsed.parameters,
        "columns": parsed.columns,
        **file.identity,
    }
    return _validated(kinds.Function, body, document, problems)


def _dashboard(file: _File, problems: list[Problem]) -> kinds.Dashboard | None:
    try:
        content = json.loads(file.text)
    except json.JSONDecodeError as error:
        problems.append(Problem(file.shown, error.lineno, f"not valid JSON: {error.msg}"))
        return None
    body = {"content": content, "text": file.text, **file.identity}
    return _validated(kinds.Dashboard, body, Document(file.shown), problems)
