"""The network: ours, or a frozen one of others with a head of ours; what it takes and gives."""
