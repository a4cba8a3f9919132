"""Load and measurements from outside: over HTTP, as a user would. Knows contract and rekindle only."""
