"""One module a subject. A class here is a rule: nothing else lists it."""
