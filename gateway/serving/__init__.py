"""One prediction: decoded, batched, answered by a replica."""
