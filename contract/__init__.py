"""What the gateway, the trainer, the model server and the client must agree on.

Imports nothing of ours and no TensorFlow, so that every process can afford it.
"""
