"""Resource kinds: most are rows of ``kinds.yml``; the others add code."""
