"""The folders of the local environment; all are ignored by git and removed by `make clean`."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
CACHE = LOCAL / "cache"
PYTHON = CACHE / "venv" / "bin" / "python"
JARS = CACHE / "jars"
NODE_BIN = CACHE / "node" / "node_modules" / ".bin"
RUN = LOCAL / "run"
WORKSPACE = LOCAL / "workspace"
ACCOUNT = LOCAL / "account"
STATE_BACKEND = LOCAL / "state-backend"
WORKSPACE_ENV = LOCAL / "workspace.env"
SETUP_SECONDS = LOCAL / "setup-seconds"
SOURCE_FILE = LOCAL / "source.json"
