"""Which files a table's rows came from: a file that is known need not be read and compared again.

The note lies beside the table's data, names the version of the table that it is true for, and is
written only when the table holds exactly what the files hold.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

# Delta leaves names with an underscore alone.
_NOTE = "_imported_files.json"


def content_hash(file: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def noted(table: Path, version: int) -> Counter[str] | None:
    """The hashes of the files whose rows a table holds, and no others; None when unknown."""
    try:
        note = json.loads((table / _NOTE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Counter(note["files"]) if note["version"] == version else None


def note(table: Path, version: int, files: Iterable[str]) -> None:
    """Keep the hashes of all files whose rows the table has at this version."""
    whole = table / f"{_NOTE}.new"
    text = json.dumps({"version": version, "files": sorted(files)})
    whole.write_text(text, encoding="utf-8")
    whole.replace(table / _NOTE)
