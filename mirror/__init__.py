"""Models and data between an object store and a local volume; imports contract only.

Nothing that serves or trains reads an object store: it sees finished local directories, which this fills.
"""
