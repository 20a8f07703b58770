"""The workspace as pages: server-rendered, no script and no address but its own."""
