"""Training itself: steps, augmentation, checkpoints, devices. It knows nothing of versions."""
