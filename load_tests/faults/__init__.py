"""What happens to predictions while something is broken: the database, a model server, a large upload."""
