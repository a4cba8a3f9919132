"""Training runs: started by people and by the clock, followed, and brought to an end."""
