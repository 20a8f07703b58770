"""The folders of the repository that the app reads and writes."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "environments"
WORKLOADS = ROOT / "workloads"
DEFINITIONS = WORKLOADS / "definitions"
NOTEBOOKS = WORKLOADS / "notebooks"
WHEELS = ROOT / ".local" / "build" / "wheels"
OUTPUT = ROOT / "cdktf.out"
NODE_BIN = ROOT / ".local" / "cache" / "node" / "node_modules" / ".bin"
