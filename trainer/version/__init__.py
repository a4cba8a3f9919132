"""A version's folder: how it is written and called, and what drift and precision are judged by."""
