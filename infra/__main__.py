"""`python -m infra COMMAND --env ENV` and `python -m infra review plan.json`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code says how it ended."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Each loads only what it needs: a review starts without cdktf, definitions and SQL parser.
    if words[:1] == ["review"]:
        from infra.review import command

        return command.main(words[1:])
    from infra import commands

    return commands.main(words)


def _without_checks_of_constructs() -> None:
    """Begin again with Python's -O: docs/decisions/0022-a-synth-is-not-a-test.md."""
    if __debug__ and sys.argv[1:2] != ["review"]:
        command = [sys.executable, "-O", "-m", "infra", *sys.argv[1:]]
        os.execv(sys.executable, command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    _without_checks_of_constructs()
    sys.exit(main())
