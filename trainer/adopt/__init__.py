"""`trainer adopt`: a version from a model that someone else trained.

source.py opens it as one function, pictures.py says what goes in, labels.py what comes out, answers.py
what the numbers mean, candidate.py writes and judges the version, command.py is the whole on one page.
"""
