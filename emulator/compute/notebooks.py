"""Reads notebooks in Databricks source format: cells with a language each."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEADER = re.compile(r"^(#|--|//) Databricks notebook source\s*$")
_MAGIC_LANGUAGES = {"python": "python", "sql": "sql", "md": "md", "md-sandbox": "md"}
_COMMANDS = ("run", "pip")


class NotebookError(RuntimeError):
    """A notebook that cannot be read or run; the message says where and why."""


@dataclass(frozen=True)
class Cell:
    """``language`` is python, sql, md, run or pip; ``number`` counts from 1 as the page does."""

    language: str
    text: str
    number: int
    first_line: int


def parse_notebook(source: str, path: str) -> list[Cell]:
    """The cells of a notebook; a file without the header is one Python cell."""
    lines = source.splitlines()
    header = _HEADER.match(lines[0]) if lines else None
    if header is None:
        return [Cell("python", source, 1, 1)]
    comment = header[1]
    if comment == "//":
        raise NotebookError(f"{path}: Scala notebooks do not run here")
    default = "python" if comment == "#" else "sql"
    separator = f"{comment} COMMAND ----------"
    cells: list[Cell] = []
    for number, (first_line, block) in enumerate(_blocks(lines[1:], separator), start=1):
        cells += _cells(block, comment, default, number, first_line, path)
    return cells


def _blocks(lines: list[str], separator: str) -> list[tuple[int, list[str]]]:
    blocks: list[tuple[int, list[str]]] = [(2, [])]
    for position, line in enumerate(lines):
        if line.rstrip() == separator:
            blocks.append((position + 3, []))
        else:
            blocks[-1][1].append(line)
    return blocks


def _cells(
    block: list[str], comment: str, default: str, number: int, first_line: int, path: str
) -> list[Cell]:
    if not any(line.strip() for line in block):
        return []
    magic = f"{comment} MAGIC"
    title = f"{comment} DBTITLE"
    body = [line for line in block if line.strip() and not line.startswith(title)]
    if not body or not body[0].startswith(magic):
        if any(line.startswith(magic) for line in body):
            raise NotebookError(f"{path}, cell {number}: a magic command must begin its cell")
        return [Cell(default, "\n".join(block), number, first_line)] if body else []
    if not all(line.startswith(magic) for line in body):
        raise NotebookError(f"{path}, cell {number}: a magic cell mixes with plain code")
    # Blank lines stand for titles and blanks, so that line numbers in traces stay right.
    text = [
        line.removeprefix(magic).removeprefix(" ") if line.startswith(magic) else ""
        for line in block
    ]
    return _magic_cells(text, number, first_line, path)


def _magic_cells(text: list[str], number: int, first_line: int, path: str) -> list[Cell]:
    start = next(i for i, line in enumerate(text) if line.strip())
    word, _, rest = text[start].strip().removeprefix("%").partition(" ")
    if not text[start].strip().startswith("%"):
        raise NotebookError(f"{path}, cell {number}: expected a magic command, found {word!r}")
    if word in _MAGIC_LANGUAGES:
        body = "\n".join(["" for _ in text[:start]] + [rest, *text[start + 1 :]])
        return [Cell(_MAGIC_LANGUAGES[word], body, number, first_line)]
    cells = []
    for line in (line.strip() for line in text[start:] if line.strip()):
        command, _, argument = line.removeprefix("%").partition(" ")
        if not line.startswith("%") or command not in _COMMANDS:
            raise NotebookError(f"{path}, cell {number}: {line.split()[0]} does not run here")
        cells.append(Cell(command, argument.strip(), number, first_line))
    return cells
