"""Who may do what: callers, their roles, their tokens."""
