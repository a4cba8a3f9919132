"""From class folders to arrays: which files, which split, what came through the gateway."""
