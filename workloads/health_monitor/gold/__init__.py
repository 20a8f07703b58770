"""Tables for analysts: made from definitions, brought up to date by what changed."""
