"""Labelled pictures: how they come in, where they lie, how they are found, moved and deleted."""
