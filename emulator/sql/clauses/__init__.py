"""One module a family of clauses; each clause is one small function (see dialect.RULES)."""
