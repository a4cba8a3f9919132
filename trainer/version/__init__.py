"""A version's folder: how it is written and called, and what drift and bfloat16 are judged by."""
