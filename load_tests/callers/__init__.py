"""Callers of the gateway: what they send, what they accept, and every request of theirs."""
