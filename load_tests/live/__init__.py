"""Canaries and drift on the running stack, from outside."""
