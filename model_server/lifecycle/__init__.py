"""Which models and versions there are, and when each is loaded and unloaded."""
