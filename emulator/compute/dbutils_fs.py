"""``dbutils.fs`` over the mounted /Volumes and /Workspace."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

_MOUNTED = ("/Volumes", "/Workspace")


class FileInfo(NamedTuple):
    path: str
    name: str
    size: int
    modificationTime: int


class FileSystem:
    """Paths may be plain, ``dbfs:/Volumes/...`` or ``file:/Workspace/...``."""

    def ls(self, dir: str) -> list[FileInfo]:
        folder = _local(dir)
        if not folder.exists():
            raise FileNotFoundError(f"No such file or directory: {dir}")
        members = sorted(folder.iterdir()) if folder.is_dir() else [folder]
        return [_info(member) for member in members]

    def cp(self, from_: str, to: str, recurse: bool = False) -> bool:
        source, target = _local(from_), _local(to)
        if source.is_dir():
            _need_recurse(recurse, from_)
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            target = target / source.name if target.is_dir() else target
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        return True

    def mv(self, from_: str, to: str, recurse: bool = False) -> bool:
        return self.cp(from_, to, recurse) and self.rm(from_, recurse)

    def rm(self, dir: str, recurse: bool = False) -> bool:
        path = _local(dir)
        if not path.exists():
            return False
        if path.is_dir():
            if any(path.iterdir()):
                _need_recurse(recurse, dir)
            shutil.rmtree(path)
        else:
            path.unlink()
        return True

    def mkdirs(self, dir: str) -> bool:
        _local(dir).mkdir(parents=True, exist_ok=True)
        return True

    def put(self, file: str, contents: str, overwrite: bool = False) -> bool:
        path = _local(file)
        if path.exists() and not overwrite:
            raise FileExistsError(f"{file} exists; pass overwrite=True to replace it")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents)
        print(f"Wrote {len(contents.encode())} bytes.")
        return True

    def head(self, file: str, max_bytes: int = 65536) -> str:
        with _local(file).open("rb") as opened:
            return opened.read(max_bytes).decode(errors="replace")


def _local(path: str) -> Path:
    plain = path.removeprefix("dbfs:").removeprefix("file:")
    if not any(plain == prefix or plain.startswith(prefix + "/") for prefix in _MOUNTED):
        raise ValueError(f"{path}: only paths below /Volumes and /Workspace exist here")
    return Path(plain)


def _need_recurse(recurse: bool, path: str) -> None:
    if not recurse:
        raise IsADirectoryError(f"{path} is a directory; pass recurse=True")


def _info(path: Path) -> FileInfo:
    status = path.stat()
    scheme = "dbfs:" if str(path).startswith("/Volumes") else "file:"
    slash = "/" if path.is_dir() else ""
    size = 0 if path.is_dir() else status.st_size
    return FileInfo(f"{scheme}{path}{slash}", path.name + slash, size, int(status.st_mtime * 1000))
