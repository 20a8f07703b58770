"""The folders of the local environment; all are ignored by git and removed by `make clean`."""

from __future__ import annotations

import os
from pathlib import Path

LOCAL_VARIABLE = "HEALTH_MONITOR_LOCAL"

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".local" / "cache"
# A test, or a second environment beside the first, keeps its state elsewhere.
LOCAL = Path(os.environ.get(LOCAL_VARIABLE, ROOT / ".local")).resolve()
PYTHON = CACHE / "venv" / "bin" / "python"
JARS = CACHE / "jars"
NODE_BIN = CACHE / "node" / "node_modules" / ".bin"
RUN = LOCAL / "run"
WORKSPACE = LOCAL / "workspace"
ACCOUNT = LOCAL / "account"
STATE_BACKEND = LOCAL / "state-backend"
WORKSPACE_ENV = LOCAL / "workspace.env"
SETUP_SECONDS = ROOT / ".local" / "setup-seconds"
SOURCE_FILE = LOCAL / "source.json"
