"""Functions and metric views over gold."""
