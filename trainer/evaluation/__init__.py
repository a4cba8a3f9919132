"""Figures of a version on labelled pictures."""
