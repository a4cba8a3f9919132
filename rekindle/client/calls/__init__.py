"""Every request of the API, one subject a file.

Its method, path and options, the kind of its answer, and whether it may be repeated.
"""
