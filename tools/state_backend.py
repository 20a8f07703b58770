"""Terraform's S3 state backend on one machine: moto's server, with its objects kept on disk.

moto holds its buckets in memory; a deploy must outlive the process, so every change is written
below ``--folder`` as ``<bucket>/<key>`` and read again at the start.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

ACCOUNT = "123456789012"
REGION = "us-east-1"
MUTATING = {"PUT", "POST", "DELETE"}


class PersistentBuckets:
    """WSGI middleware that mirrors moto's buckets in a folder."""

    def __init__(self, application: Callable[..., Iterable[bytes]], folder: Path) -> None:
        self._application = application
        self._folder = folder
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        with self._lock:
            body = list(self._application(environ, start))
            if environ["REQUEST_METHOD"] in MUTATING:
                self._save()
        return body

    def load(self, bucket: str) -> None:
        """Make the bucket, with the objects that the folder holds."""
        backend = s3_backends[ACCOUNT]["aws"]
        backend.create_bucket(bucket, REGION)
        root = self._folder / bucket
        root.mkdir(parents=True, exist_ok=True)
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            backend.put_object(bucket, str(path.relative_to(root)), path.read_bytes())

    def _save(self) -> None:
        for name, bucket in s3_backends[ACCOUNT]["aws"].buckets.items():
            root = self._folder / name
            kept = {root / key: value.value for key, value in bucket.keys.items()}
            for path, value in kept.items():
                if path.exists() and path.read_bytes() == value:
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                partial = path.with_name(path.name + ".partial")
                partial.write_bytes(value)
                partial.replace(path)
            for path in [p for p in root.rglob("*") if p.is_file()]:
                if path not in kept:
                    path.unlink()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    buckets = PersistentBuckets(DomainDispatcherApplication(create_backend_app), arguments.folder)
    buckets.load(arguments.bucket)
    run_simple("127.0.0.1", arguments.port, buckets, threaded=True)


if __name__ == "__main__":
    main()
