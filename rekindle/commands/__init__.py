"""The commands of `rekindle`, one file for each thing that they are about."""
