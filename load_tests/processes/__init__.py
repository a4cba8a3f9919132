"""What is measured, as processes: stacks, limited replicas, a database, and the CPU that they use."""
