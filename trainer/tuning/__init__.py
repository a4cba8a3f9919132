"""A fine-tune: what it replays, shows and teaches, and how far from its parent it ends."""
