"""One training run: load, fit, evaluate, export, publish.

The only room besides model_server that knows TensorFlow. What a run is told and what it leaves behind
are contract.training and contract.card; where those lie is contract.layout.
"""
