"""A replica as a queueing model: simulated, fitted to runs, told."""
