"""What was predicted, what people said about it, and for how long that is kept."""
