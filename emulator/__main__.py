"""``python -m emulator serve``: run one emulated Databricks workspace until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from emulator.settings import Settings
from emulator.workspace.server import PortTakenError, serve


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, serve, and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m emulator")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("serve", help="run the workspace on loopback")
    command.add_argument("--state", type=Path, required=True, help="folder that keeps everything")
    command.add_argument("--jars", type=Path, required=True, help="folder with the Delta jars")
    command.add_argument("--port", type=int, default=0, help="0: the port of last time, or any")
    command.add_argument("--memory", default="6g", help="memory of Spark's driver")
    options = parser.parse_args(arguments)
    settings = Settings(state=options.state.resolve(), jars=options.jars.resolve())
    try:
        serve(settings, port=options.port, memory=options.memory)
    except PortTakenError as error:
        print(f"emulator: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
