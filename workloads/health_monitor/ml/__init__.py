"""Models: features, training and scoring."""
