"""What exists: the CDKTF app that declares the platform, one environment at a time."""

import sys
from pathlib import Path

# The wheel of `workloads` is built here and runs in the workspace; it is never installed here.
_WORKLOADS = str(Path(__file__).resolve().parent.parent / "workloads")
if _WORKLOADS not in sys.path:
    sys.path.insert(0, _WORKLOADS)
