"""The parts of the composition root, one file for each room: who builds what on which adapters."""
