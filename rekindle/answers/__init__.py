"""The gateway's answers as values, one subject a file. Fields that a newer gateway adds are ignored."""
