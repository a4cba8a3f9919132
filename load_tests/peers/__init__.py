"""Other ways to serve the same model, and the benchmark that drives them beside ours."""
