"""Checked rows: a declarative pipeline made from definitions."""
