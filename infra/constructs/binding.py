"""Makes the provider's package one that loads only what is imported from it.

Its own ``__init__`` imports the classes of all resources, which takes longer than all the rest of a
synth; the twenty modules that constructs import by name need none of it.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

PACKAGE = "cdktf_cdktf_provider_databricks"


def load_by_module() -> None:
    """Put a package without ``__init__`` in its place, unless somebody has imported it already."""
    if PACKAGE in sys.modules:
        return
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        # The import itself says what is missing.
        return
    package = ModuleType(PACKAGE)
    package.__spec__ = spec
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[PACKAGE] = package
