"""Typed definitions of all that runs. Imports neither Spark nor cdktf.

>>> from health_monitor.spec import load_definitions
>>> definitions = load_definitions("workloads/definitions")
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from health_monitor import __version__
from health_monitor.spec.governance import Grant, Policy
from health_monitor.spec.jobs import Job, JobTask
from health_monitor.spec.kinds import (
    Alert,
    Bronze,
    Check,
    Dashboard,
    Function,
    Gold,
    MetricView,
    Model,
    Monitor,
    Silver,
)
from health_monitor.spec.loader import Definitions, read_definitions
from health_monitor.spec.problems import DefinitionErrors, Problem
from health_monitor.spec.references import References
from health_monitor.spec.sql import qualify

__all__ = [
    "Alert",
    "Bronze",
    "Check",
    "Dashboard",
    "DefinitionErrors",
    "Definitions",
    "Function",
    "Gold",
    "Grant",
    "Job",
    "JobTask",
    "MetricView",
    "Model",
    "Monitor",
    "Policy",
    "Problem",
    "Silver",
    "__version__",
    "load_definitions",
    "qualify",
]


def load_definitions(root: str | PathLike[str], *, references: bool = True) -> Definitions:
    """All definitions below a folder; DefinitionErrors names every mistake in them.

    What a deploy has uploaded was checked there: it can be read without looking up ``references``.
    """
    definitions, problems = read_definitions(Path(root))
    if references:
        problems += References(definitions).check()
    if problems:
        raise DefinitionErrors(problems)
    return definitions
