"""What the server counts: upstream's metrics under upstream's names, and ours beside them."""
