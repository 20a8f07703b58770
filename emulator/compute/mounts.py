"""Lets Python code see /Workspace and /Volumes at those paths, without root and without FUSE.

The functions that take paths (os, io, and through them pathlib, shutil, glob, zipfile) are
replaced by ones that look below these two prefixes in the workspace's own folders.
"""

from __future__ import annotations

import builtins
import functools
import importlib.machinery
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from emulator.settings import Settings

_ONE_PATH = (
    *("open", "stat", "lstat", "statvfs", "access", "readlink", "listdir", "chdir"),
    *("mkdir", "rmdir", "remove", "unlink", "truncate", "chmod", "chown", "utime"),
)
_LINUX_ONLY = ("listxattr", "getxattr", "setxattr", "removexattr")
_TWO_PATHS = ("rename", "replace", "link", "symlink")
_VOLUME_DEPTH = 4


class Mounts:
    """The two prefixes and where their files really lie."""

    def __init__(self, settings: Settings) -> None:
        self._folders = {
            "/Workspace": str(settings.workspace_files),
            "/Volumes": str(settings.volumes),
        }
        for folder in self._folders.values():
            Path(folder).mkdir(parents=True, exist_ok=True)

    def to_real(self, path: Any) -> Any:
        """The real path of a mounted one; anything else (a descriptor too) as it is."""
        if not isinstance(path, str | bytes | os.PathLike):
            return path
        text = os.fsdecode(path)
        for prefix, folder in self._folders.items():
            if text == prefix or text.startswith(prefix + "/"):
                real = folder + text[len(prefix) :]
                return os.fsencode(real) if isinstance(path, bytes) else real
        return path

    def to_virtual(self, path: str) -> str:
        """The mounted path of a real one; any other path as it is."""
        for prefix, folder in self._folders.items():
            if path == folder or path.startswith(folder + "/"):
                return prefix + path[len(folder) :]
        return path

    def install(self) -> None:
        """Replace the functions in this process, for good."""
        for name in (*_ONE_PATH, *(name for name in _LINUX_ONLY if hasattr(os, name))):
            self._replace(os, name, self._with_one_path(getattr(os, name)))
        for name in _TWO_PATHS:
            self._replace(os, name, self._with_two_paths(getattr(os, name)))
        self._replace(os, "mkdir", _guarded_mkdir(os.mkdir))
        self._replace(os, "scandir", self._scandir(os.scandir))
        self._replace(os, "getcwd", self._getcwd(os.getcwd))
        opener = self._with_one_path(io.open)
        builtins.open = io.open = opener
        sys.path_hooks.insert(0, self._import_hook)
        sys.path_importer_cache.clear()

    def _replace(self, module: Any, name: str, new: Callable[..., Any]) -> None:
        old = getattr(module, name)
        for supporting in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
            if old in supporting:
                supporting.add(new)
        setattr(module, name, new)

    def _with_one_path(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def mounted(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
            if "file" in kwargs:
                path = kwargs.pop("file")
            try:
                return function(self.to_real(path), *args, **kwargs)
            except OSError as error:
                self._tell_virtual(error)
                raise

        return mounted

    def _with_two_paths(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def mounted(src: Any, dst: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return function(self.to_real(src), self.to_real(dst), *args, **kwargs)
            except OSError as error:
                self._tell_virtual(error)
                raise

        return mounted

    def _tell_virtual(self, error: OSError) -> None:
        if isinstance(error.filename, str):
            error.filename = self.to_virtual(error.filename)
        if isinstance(error.filename2, str):
            error.filename2 = self.to_virtual(error.filename2)

    def _scandir(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def mounted(path: Any = ".") -> Any:
            real = self.to_real(path)
            try:
                entries = function(real)
            except OSError as error:
                self._tell_virtual(error)
                raise
            return entries if real is path else _Entries(entries, self)

        return mounted

    def _getcwd(self, function: Callable[[], str]) -> Callable[[], str]:
        @functools.wraps(function)
        def mounted() -> str:
            return self.to_virtual(function())

        return mounted

    def _import_hook(self, path: str) -> importlib.machinery.FileFinder:
        real = self.to_real(path)
        if real == path:
            raise ImportError(f"{path} is not mounted")
        machinery = importlib.machinery
        return machinery.FileFinder(
            real,
            (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
            (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
        )


def _guarded_mkdir(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def mkdir(path: Any, *args: Any, **kwargs: Any) -> None:
        text = os.fsdecode(path).rstrip("/")
        in_no_volume = text.startswith("/Volumes/") and text.count("/") <= _VOLUME_DEPTH
        if in_no_volume and not Path(text).is_dir():
            raise PermissionError(1, "no such volume, and code cannot create one", text)
        function(path, *args, **kwargs)

    return mkdir


class _Entries:
    """What os.scandir gives, with entries that show their mounted paths."""

    def __init__(self, entries: Any, mounts: Mounts) -> None:
        self._entries = entries
        self._mounts = mounts

    def __iter__(self) -> Iterator[_Entry]:
        return self

    def __next__(self) -> _Entry:
        return _Entry(next(self._entries), self._mounts)

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries.close()


class _Entry(os.PathLike[str]):
    def __init__(self, entry: os.DirEntry[str], mounts: Mounts) -> None:
        self._entry = entry
        self.name = entry.name
        self.path = mounts.to_virtual(entry.path)

    def __fspath__(self) -> str:
        return self.path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)

    def __repr__(self) -> str:
        return repr(self._entry)
