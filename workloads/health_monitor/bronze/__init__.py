"""Source tables, kept as they are."""
