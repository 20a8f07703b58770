"""The datasets and flows that a pipeline's source code has registered so far."""

from __future__ import annotations

from emulator.compute.pipelines.model import Dataset, Flow, PipelineError, TableName


class Registry:
    """Datasets by their full name; views by their bare name, since they live in no schema."""

    def __init__(self, catalog: str, schema: str) -> None:
        self._catalog = catalog
        self._schema = schema
        self.datasets: dict[str, Dataset] = {}
        self.flows: dict[str, Flow] = {}

    def table_name(self, name: str) -> TableName:
        """The full name of a table that the source code names in one, two or three parts."""
        parts = split_name(name)
        if not 1 <= len(parts) <= 3:
            raise PipelineError(f"{name!r} is not a table name of one to three parts")
        defaults = [self._catalog, self._schema]
        return TableName(*(defaults[: 3 - len(parts)] + parts))

    def key_of(self, name: str) -> str:
        """Under what key a dataset of this name is, or would be, registered."""
        if len(split_name(name)) == 1 and self._view_key(name) in self.datasets:
            return self._view_key(name)
        return self.table_name(name).key

    def add_dataset(self, dataset: Dataset) -> None:
        if dataset.kind == "TEMPORARY_VIEW":
            if len(split_name(dataset.name)) != 1:
                raise PipelineError(f"view {dataset.name!r}: a view's name has one part")
            key = self._view_key(dataset.name)
        else:
            key = self.table_name(dataset.name).key
        both = (key, self._view_key(dataset.name), self.table_name(dataset.name).key)
        if any(known in self.datasets for known in both):
            raise PipelineError(f"dataset {dataset.name!r} is defined twice")
        self.datasets[key] = dataset

    def add_flow(self, flow: Flow) -> None:
        if flow.name in self.flows:
            raise PipelineError(f"flow {flow.name!r} is defined twice")
        self.flows[flow.name] = flow

    def find(self, name: str) -> Dataset | None:
        return self.datasets.get(self.key_of(name))

    def flows_into(self, key: str) -> list[Flow]:
        return [flow for flow in self.flows.values() if self.key_of(flow.target) == key]

    def check(self) -> None:
        """Refuse a pipeline that cannot run: flows without target, tables without flow."""
        problems = []
        for flow in self.flows.values():
            target = self.find(flow.target)
            if target is None:
                problems.append(f"flow {flow.name!r}: its target {flow.target!r} is not defined")
            elif flow.auto_cdc and target.kind != "STREAMING_TABLE":
                problems.append(f"flow {flow.name!r}: its target must be a streaming table")
        for key, dataset in self.datasets.items():
            if not self.flows_into(key):
                problems.append(f"dataset {dataset.name!r}: no flow writes to it")
        if not self.datasets:
            problems.append("the source files define no dataset")
        if problems:
            raise PipelineError("; ".join(problems))

    @staticmethod
    def _view_key(name: str) -> str:
        return f"view:{name.strip('`').lower()}"


def split_name(name: str) -> list[str]:
    """The parts of a dotted name; a part in backticks may hold dots."""
    parts: list[str] = []
    current, quoted = "", False
    for character in name.strip():
        if character == "`":
            quoted = not quoted
        elif character == "." and not quoted:
            parts.append(current)
            current = ""
        else:
            current += character
    parts.append(current)
    if quoted or not all(parts):
        raise PipelineError(f"{name!r} is not a table name")
    return parts
