"""The CDKTF app: environment, then definitions, then stacks."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from health_monitor.spec import DefinitionErrors, load_definitions

from infra.environment import Environment, EnvironmentErrors, load_environment
from infra.import_blocks import forget
from infra.naming import Naming
from infra.paths import DEFINITIONS
from infra.policy.checking import POLICY_DENIED, check_output
from infra.wheel import WheelError, build_wheel

ENVIRONMENT_VARIABLE = "HEALTH_MONITOR_ENV"
# The one that cannot reach a real workspace: it takes loopback hosts only.
DEFAULT_ENVIRONMENT = "local"


def synth(environment: Environment, outdir: str | None = None) -> Path:
    """Write the Terraform configuration of an environment; the folder that it is in."""
    with ThreadPoolExecutor(1) as beside:
        # Relative, so that messages name files as they stand in the repository.
        definitions = beside.submit(load_definitions, os.path.relpath(DEFINITIONS))
        # These wait for Node; meanwhile definitions are read.
        from cdktf import App

        from infra.stacks.base import Platform
        from infra.stacks.declaring import build
    app = App(outdir=outdir)
    build(app, Platform(environment, definitions.result(), build_wheel()))
    app.synth()
    folder = Path(app.outdir)
    forget(folder / "stacks" / Naming(environment).stack(stack) for stack in environment.stacks)
    return folder


def main() -> int:
    """What `cdktf` runs; the environment comes from HEALTH_MONITOR_ENV."""
    try:
        environment = load_environment(os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_ENVIRONMENT)
        verdict = check_output(environment, synth(environment))
    except (EnvironmentErrors, DefinitionErrors, WheelError) as error:
        print(error, file=sys.stderr)
        return 1
    for violation in verdict.violations:
        print(violation, file=sys.stderr)
    return POLICY_DENIED if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
