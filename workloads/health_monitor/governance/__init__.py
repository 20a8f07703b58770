"""Tags, grants and policies on tables, as definitions want them."""
