"""The HTTP front: pictures in, ranked classes out. No TensorFlow, no numpy (architecture.md §4)."""
