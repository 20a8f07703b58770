"""The offline provider as Terraform starts it: ``python -m emulator.provider``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CACHE_VARIABLE = "EMULATOR_PROVIDER_CACHE"


def main() -> int:
    cache = os.environ.get(CACHE_VARIABLE)
    if not cache:
        print(f"{CACHE_VARIABLE} must name the folder of cached schemas.", file=sys.stderr)
        return 1
    from emulator.provider.handshake import serve

    return serve(Path(cache))


if __name__ == "__main__":
    raise SystemExit(main())
