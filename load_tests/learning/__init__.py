"""Does a model in service learn, and never get worse? Measured on the running stack, or by the trainer."""
