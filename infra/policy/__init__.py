"""Rules that the synthesized configuration keeps, and the exemptions from them."""
