"""How notebooks in source format are read into cells."""

from __future__ import annotations

import pytest

from emulator.compute.notebooks import Cell, NotebookError, parse_notebook

SOURCE = """\
# Databricks notebook source
# MAGIC %md
# MAGIC # Title

# COMMAND ----------

# DBTITLE 1,Load
import os

# COMMAND ----------

# DBTITLE 1,Query
# MAGIC %sql
# MAGIC -- a comment
# MAGIC SELECT 1

# COMMAND ----------

# MAGIC %run ./lib/x $a="b c"

# COMMAND ----------

# MAGIC %pip install /Volumes/a/b/c/x.whl
# MAGIC %pip install y

# COMMAND ----------

"""


def test_cells_know_their_language_and_place():
    cells = parse_notebook(SOURCE, "/n")
    assert [(c.language, c.number) for c in cells] == [
        ("md", 1),
        ("python", 2),
        ("sql", 3),
        ("run", 4),
        ("pip", 5),
        ("pip", 5),
    ]
    code, query = cells[1], cells[2]
    lines = SOURCE.splitlines()
    assert lines[code.first_line - 1 + code.text.splitlines().index("import os")] == "import os"
    assert query.text.split() == ["--", "a", "comment", "SELECT", "1"]
    assert cells[3].text == './lib/x $a="b c"'
    assert [c.text for c in cells[4:]] == ["install /Volumes/a/b/c/x.whl", "install y"]


def test_sql_notebooks_and_plain_files():
    header = "-- Databricks notebook source\nSELECT 1\n-- COMMAND ----------\n"
    source = f"{header}-- MAGIC %python\n-- MAGIC x"
    assert [(c.language, c.text.strip()) for c in parse_notebook(source, "/n")] == [
        ("sql", "SELECT 1"),
        ("python", "x"),
    ]
    assert parse_notebook("x = 1\n", "/f.py") == [Cell("python", "x = 1\n", 1, 1)]


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        ("# MAGIC %scala\n# MAGIC val x = 1", "/n, cell 1: %scala does not run here"),
        ("# MAGIC text", "cell 1: expected a magic command, found 'text'"),
        ("x = 1\n# MAGIC %md y", "cell 1: a magic command must begin its cell"),
        ("# MAGIC %sql\nSELECT 1", "cell 1: a magic cell mixes with plain code"),
    ],
)
def test_cells_that_cannot_run_are_refused(cell, complaint):
    with pytest.raises(NotebookError, match=complaint):
        parse_notebook(f"# Databricks notebook source\n{cell}", "/n")
