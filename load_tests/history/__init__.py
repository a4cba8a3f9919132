"""The prediction history with very many rows."""
