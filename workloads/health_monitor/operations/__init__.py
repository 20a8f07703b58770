"""What the platform knows about itself: its own tables, reconciliation, monitors."""
