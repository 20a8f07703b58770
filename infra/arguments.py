"""A command line whose errors keep the contract of exit codes."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

ERROR = 1


class Parser(argparse.ArgumentParser):
    """A mistake in the arguments is exit code 1; argparse's own 2 means that a plan has changes."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(ERROR, f"{self.prog}: error: {message}\n")
