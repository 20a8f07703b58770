"""Which resources a synthesized configuration protects: plan JSON does not say it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from infra.review.plan_file import PlanError


def protected(files: Iterable[Path]) -> frozenset[str]:
    """Addresses with ``prevent_destroy`` in these files (cdk.tf.json or any JSON configuration)."""
    return frozenset(address for file in files for address in _of_file(file))


def _of_file(file: Path) -> list[str]:
    return [
        f"{kind}.{name}"
        for kind, name, body in _resources(file)
        if any(part.get("prevent_destroy") is True for part in _blocks(body.get("lifecycle")))
    ]


def _resources(file: Path) -> list[tuple[str, str, dict[str, Any]]]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise PlanError(f"{file}: not JSON: {error}; expected a synthesized cdk.tf.json") from error
    if not isinstance(document, dict):
        raise PlanError(f"{file}: expected a synthesized cdk.tf.json, an object with 'resource'")
    return [
        (kind, name, block)
        for kinds in _blocks(document.get("resource"))
        for kind, named in kinds.items()
        for names in _blocks(named)
        for name, body in names.items()
        for block in _blocks(body)
    ]


def _blocks(value: Any) -> list[dict[str, Any]]:
    """A block is written as an object, or as a list of them."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]
