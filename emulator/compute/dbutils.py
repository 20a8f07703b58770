"""The ``dbutils`` that a task's code sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from emulator.compute.context import TaskContext
from emulator.compute.dbutils_fs import FileSystem
from emulator.store import Store

TASK_VALUE_LIMIT = 48 * 1024


class NotebookExit(BaseException):
    """``dbutils.notebook.exit``: ends the notebook as a success, past any ``except Exception``."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class InputWidgetNotDefinedError(LookupError):
    """A widget was read that no one defined and no parameter fills."""


class SecretNotFoundError(LookupError):
    """The secret, or its scope, does not exist in this workspace."""


class Widgets:
    """Values come from the task's parameters; else a widget's default."""

    def __init__(self, parameters: dict[str, str]) -> None:
        self._given = dict(parameters)
        self._defaults: dict[str, str] = {}

    def text(self, name: str, defaultValue: str = "", label: str | None = None) -> None:
        self._defaults[name] = defaultValue

    def dropdown(
        self,
        name: str,
        defaultValue: str,
        choices: Sequence[str],
        label: str | None = None,
    ) -> None:
        if defaultValue not in choices:
            raise ValueError(f"widget {name}: the default {defaultValue!r} is none of {choices}")
        self._defaults[name] = defaultValue

    def combobox(
        self,
        name: str,
        defaultValue: str,
        choices: Sequence[str],
        label: str | None = None,
    ) -> None:
        self._defaults[name] = defaultValue

    def multiselect(
        self,
        name: str,
        defaultValue: str,
        choices: Sequence[str],
        label: str | None = None,
    ) -> None:
        self.dropdown(name, defaultValue, choices, label)

    def get(self, name: str) -> str:
        if name in self._given:
            return self._given[name]
        if name in self._defaults:
            return self._defaults[name]
        raise InputWidgetNotDefinedError(f"No input widget named {name} is defined")

    def getArgument(self, name: str, defaultValue: str | None = None) -> str | None:
        return self.getAll().get(name, defaultValue)

    def getAll(self) -> dict[str, str]:
        return {**self._defaults, **self._given}

    def remove(self, name: str) -> None:
        self._defaults.pop(name, None)

    def removeAll(self) -> None:
        self._defaults.clear()

    def give(self, values: dict[str, str]) -> None:
        """Set values as ``%run ./x $name="value"`` does."""
        self._given.update(values)


class TaskValues:
    """Values that tasks of one job run hand to later ones."""

    def __init__(self, context: TaskContext) -> None:
        self._context = context

    def set(self, key: str, value: Any) -> None:
        text = json.dumps(value)
        if len(text) > TASK_VALUE_LIMIT:
            raise ValueError(f"task value {key} has {len(text)} bytes; 48 KiB are allowed")
        self._context.task_values[key] = value

    def get(
        self,
        taskKey: str,
        key: str,
        default: Any = None,
        debugValue: Any = None,
    ) -> Any:
        spec = self._context.spec
        if not spec.in_job:
            if debugValue is None:
                raise TypeError("Must pass debugValue when calling get outside of a job context")
            return debugValue
        values = spec.task_values.get(taskKey)
        if values is not None and key in values:
            return values[key]
        if default is not None:
            return default
        raise ValueError(f"task {taskKey!r} has set no value {key!r} before this task")


class Jobs:
    def __init__(self, context: TaskContext) -> None:
        self.taskValues = TaskValues(context)


class Notebook:
    def __init__(self, run: Callable[[str, int, dict[str, str]], str]) -> None:
        self._run = run

    def exit(self, value: Any = "") -> None:
        raise NotebookExit(str(value))

    def run(
        self, path: str, timeout_seconds: int = 0, arguments: dict[str, str] | None = None
    ) -> str:
        return self._run(path, timeout_seconds, arguments or {})


class Secrets:
    def __init__(self, context: TaskContext) -> None:
        self._store = Store(context.settings.workspace_db)

    def get(self, scope: str, key: str) -> str:
        found = self._store.get("secret", f"{scope}/{key}")
        if found is None:
            raise SecretNotFoundError(f"Secret does not exist with scope: {scope} and key: {key}")
        return str(found["string_value"])


class DbUtils:
    """``dbutils``; ``run_notebook`` runs another notebook for ``notebook.run``."""

    def __init__(
        self,
        context: TaskContext,
        parameters: dict[str, str],
        run_notebook: Callable[[str, int, dict[str, str]], str],
    ) -> None:
        self.widgets = Widgets(parameters)
        self.jobs = Jobs(context)
        self.notebook = Notebook(run_notebook)
        self.fs = FileSystem()
        self._context = context

    @property
    def secrets(self) -> Secrets:
        return Secrets(self._context)
