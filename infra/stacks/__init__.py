"""One file a stack: one state, one blast radius, one kind of reviewer."""
