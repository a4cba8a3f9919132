"""How good versions are on pictures that somebody uploads."""
