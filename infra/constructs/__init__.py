"""Typed constructs: one file a construct; only here are the provider's classes imported."""
