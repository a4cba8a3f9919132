"""A canary watched: its evidence against stable, and what follows from it."""
