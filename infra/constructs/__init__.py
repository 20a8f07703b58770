"""Typed constructs: one file a construct; only here are the provider's classes imported."""

from infra.constructs.binding import load_by_module

load_by_module()
