"""The outside world behind gateway.ports: the model servers, their names, the file system."""
