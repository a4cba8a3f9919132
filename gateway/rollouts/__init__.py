"""Which version of each model answers, and how that changes."""
