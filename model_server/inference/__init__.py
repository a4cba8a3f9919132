"""The data plane: from a request's arrays to its answer, whatever the front."""
