"""TensorFlow: loading a SavedModel, running it, and the arrays that go in and out."""
