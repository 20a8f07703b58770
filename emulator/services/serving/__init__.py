"""Model serving: one scoring process a served entity, behind the workspace's own address."""
