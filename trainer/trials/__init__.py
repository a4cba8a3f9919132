"""Commands by which the trainer itself is tried: recipes, workers, determinism. No run needs them."""
