"""The app synthesized once, from small definitions of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from health_monitor.spec import load_definitions

from infra.environment import Environment, available, load_environment
from infra.wheel import Wheel

FIXTURE_DEFINITIONS = Path(__file__).parent / "definitions"
NOTEBOOKS = Path(__file__).parent / "notebooks"
Stacks = dict[str, dict[str, Any]]
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")


def synthesize(
    name: str,
    folder: Path,
    definitions: Path = FIXTURE_DEFINITIONS,
    environment: Environment | None = None,
) -> Stacks:
    """The Terraform JSON of each stack of an environment, as its file has it or as given."""
    from cdktf import App

    from infra.stacks.base import Platform
    from infra.stacks.declaring import build

    wheel = folder / "health_monitor-0.1.0+0123456789ab-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    wheel.write_bytes(b"a wheel")
    app = App(outdir=str(folder / "out"))
    environment = environment or load_environment(name)
    built = Wheel(wheel, "0.1.0+0123456789ab")
    build(app, Platform(environment, load_definitions(definitions), built, NOTEBOOKS))
    app.synth()
    return {
        stack: json.loads(
            (folder / "out" / "stacks" / f"{stack}-{name}" / "cdk.tf.json").read_text()
        )
        for stack in environment.stacks
    }


@pytest.fixture(scope="session")
def stacks_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stacks]:
    """Environment name -> its stacks."""
    folder = tmp_path_factory.mktemp("synth")
    return {name: synthesize(name, folder / name) for name in available()}
