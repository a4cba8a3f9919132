"""Telling others what the gateway did by itself."""
