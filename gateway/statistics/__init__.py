"""What the gateway tells about itself without a Prometheus: availability, latency, versions."""
