"""Import blocks beside a synthesized stack: what Terraform imports where it would create."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

FILE = "imports.tf.json"


def add(folder: Path, address: str, identity: str) -> None:
    """Have the next plan of the stack in this folder import the object to the address."""
    file = folder / FILE
    blocks = json.loads(file.read_text(encoding="utf-8"))["import"] if file.exists() else []
    blocks.append({"to": address, "id": identity})
    file.write_text(json.dumps({"import": blocks}, indent=2), encoding="utf-8")


def forget(folders: Iterable[Path]) -> None:
    """Remove the blocks of an earlier command; what they name may be gone since."""
    for folder in folders:
        (folder / FILE).unlink(missing_ok=True)
