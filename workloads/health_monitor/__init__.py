"""Databricks Health Monitor: what runs in the workspace."""

__version__ = "0.1.0"
